package jumping

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
)

// Every exported name says what it is: pkg.go.dev is the manual of a Go host.
func TestEveryExportedNameIsDocumented(t *testing.T) {
	for _, folder := range []string{".", "udp"} {
		packages, err := parser.ParseDir(token.NewFileSet(), folder, func(info fs.FileInfo) bool {
			return !strings.HasSuffix(info.Name(), "_test.go")
		}, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range packages {
			for name, file := range p.Files {
				for _, declaration := range file.Decls {
					for _, missing := range undocumented(declaration) {
						t.Errorf("%s: %s has no documentation", name, missing)
					}
				}
			}
		}
	}
}

func undocumented(declaration ast.Decl) (missing []string) {
	switch d := declaration.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && (d.Recv == nil || isExportedReceiver(d.Recv.List[0].Type)) {
			missing = append(missing, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
					missing = append(missing, s.Name.Name)
				}
			case *ast.ValueSpec:
				if s.Names[0].IsExported() && d.Doc == nil && s.Doc == nil {
					missing = append(missing, s.Names[0].Name)
				}
			}
		}
	}
	return missing
}

func isExportedReceiver(receiver ast.Expr) bool {
	if star, isPointer := receiver.(*ast.StarExpr); isPointer {
		receiver = star.X
	}
	name, isName := receiver.(*ast.Ident)
	return isName && name.IsExported()
}

// Nothing of the C interface is out of a Go host's reach.
func TestEveryFunctionOfTheHeaderIsCalled(t *testing.T) {
	header, err := os.ReadFile("../../include/jumping.h")
	if err != nil {
		t.Skip("this copy of the package lies outside the repository")
	}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, file := range files {
		isSource := strings.HasSuffix(file.Name(), ".go") || strings.HasSuffix(file.Name(), ".h")
		if isSource && !strings.HasSuffix(file.Name(), "_test.go") {
			text, err := os.ReadFile(file.Name())
			if err != nil {
				t.Fatal(err)
			}
			source.Write(text)
		}
	}
	functions := regexp.MustCompile(`(?m)^[a-z].*?\b(jmp_\w+)\(`).FindAllStringSubmatch(string(header), -1)
	if len(functions) < 50 {
		t.Fatalf("only %d functions found in the header", len(functions))
	}
	for _, function := range functions {
		if !regexp.MustCompile(`(C\.|return )` + function[1] + `\(`).MatchString(source.String()) {
			t.Errorf("%s is called nowhere", function[1])
		}
	}
}
