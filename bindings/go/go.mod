module jumping

go 1.19
