//go:build !jumping_environment

package jumping

// An installed library: jumping.pc says where the header and the library are.

// #cgo pkg-config: jumping
import "C"
