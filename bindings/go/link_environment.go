//go:build jumping_environment

package jumping

// A build tree, or a library installed where pkg-config does not look: CGO_CFLAGS and CGO_LDFLAGS say where the
// header and the library are.

// #cgo LDFLAGS: -ljumping
import "C"
