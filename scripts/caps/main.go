// Command caps reports what reaches the caps of the house style: files over
// 500 lines, functions over 60 lines, packages over 2,500 lines or 40 exported
// names. A cap reached is a question, "which second noun is in here?", so it
// never fails.
package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	maxFile     = 500
	maxFunction = 60
	maxPackage  = 2500
	maxExported = 40 // functions and types; methods are their type's
)

// size is what a package's files add up to, tests left out.
type size struct{ lines, exported int }

func main() {
	packages := map[string]size{}
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || d.Name() == "bin") {
			return filepath.SkipDir
		}
		if filepath.Ext(p) == ".go" && !strings.HasSuffix(p, "_test.go") {
			return report(p, packages)
		}
		return nil
	})
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		if n := packages[name]; n.lines > maxPackage || n.exported > maxExported {
			fmt.Printf("  %s: %d lines, %d exported names\n", name, n.lines, n.exported)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "caps:", err)
		os.Exit(1)
	}
}

func report(name string, packages map[string]size) error {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, nil, 0)
	if err != nil {
		return err
	}
	// wire and event are vocabularies: their field lists are tables.
	vocabulary := strings.HasPrefix(name, "broker/ibkr/wire") || strings.HasPrefix(name, "services/event")
	lines := fset.Position(f.End()).Line
	if lines > maxFile && !vocabulary {
		fmt.Printf("  %s: %d lines\n", name, lines)
	}
	if !vocabulary {
		n := packages[filepath.Dir(name)]
		packages[filepath.Dir(name)] = size{n.lines + lines, n.exported + exported(f)}
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

// exported counts the exported functions and types of a file.
func exported(f *ast.File) (n int) {
	for _, decl := range f.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.IsExported() {
				n++
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				if t, ok := s.(*ast.TypeSpec); ok && t.Name.IsExported() {
					n++
				}
			}
		}
	}
	return n
}
