// Command caps reports what reaches the caps of the house style: files over
// 500 lines, functions over 60 lines. A cap reached is a question, "which
// second noun is in here?", so it never fails.
package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	maxFile     = 500
	maxFunction = 60
)

func main() {
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || d.Name() == "bin") {
			return filepath.SkipDir
		}
		if filepath.Ext(p) == ".go" && !strings.HasSuffix(p, "_test.go") {
			return report(p)
		}
		return nil
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "caps:", err)
		os.Exit(1)
	}
}

func report(name string) error {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, nil, 0)
	if err != nil {
		return err
	}
	// wire and event are vocabularies: their field lists are tables.
	vocabulary := strings.HasPrefix(name, "broker/ibkr/wire") || strings.HasPrefix(name, "services/event")
	if n := fset.Position(f.End()).Line; n > maxFile && !vocabulary {
		fmt.Printf("  %s: %d lines\n", name, n)
	}
	for _, decl := range f.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		from, to := fset.Position(fn.Pos()).Line, fset.Position(fn.End()).Line
		if n := to - from + 1; n > maxFunction {
			fmt.Printf("  %s:%d: %s has %d lines\n", name, from, fn.Name.Name, n)
		}
	}
	return nil
}
