module examples

go 1.19

require jumping v0.0.0

replace jumping => ../../bindings/go
