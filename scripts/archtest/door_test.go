package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// writers are the desk's functions that write to a session; decide asks the
// gate before it calls one of them, and handle alone calls decide.
var writers = []string{"place", "cancel", "modify"}

// secondPaths returns every way to an order in the sources that does not lead
// through the gate.
func secondPaths(sources []source) (found []string, gates int) {
	for _, s := range sources {
		if s.test {
			continue
		}
		for _, decl := range s.ast.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			in := f.Name.Name
			ast.Inspect(f, func(n ast.Node) bool {
				if what := names(n); what == "broker.Ticket" && !slices.Contains([]string{"broker/desk", "broker/ibkr", "broker/brokertest"}, s.pkg) {
					found = append(found, s.pkg+": "+in+" makes a broker.Ticket")
				}
				call, ok := n.(*ast.CallExpr)
				if !ok || s.pkg != "broker/desk" {
					return true
				}
				switch what := names(call.Fun); {
				case in == "sweep" && strings.HasSuffix(what, ".trader.Cancel"): // a halt's cancels; the latch is their intent
				case strings.Contains(what, ".trader.") && !slices.Contains(writers, in):
					found = append(found, in+" writes to the session by "+what)
				case strings.HasPrefix(what, "d.") && slices.Contains(writers, what[2:]) && in != "decide":
					found = append(found, in+" calls "+what+", which decide alone may")
				case what == "d.decide" && in != "handle":
					found = append(found, in+" calls decide, which handle alone may")
				case strings.HasSuffix(what, ".gate.Decide"):
					if gates++; in != "decide" {
						found = append(found, in+" asks the gate itself")
					}
				}
				return true
			})
		}
	}
	return found, gates
}

// names writes a selector such as h.trader.Place as text, "" for what is none.
func names(n ast.Node) string {
	switch x := n.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		if left := names(x.X); left != "" {
			return left + "." + x.Sel.Name
		}
	}
	return ""
}

// TestNoSecondOrderPath: a path for pairs of shares once went around duplicate
// protection, position limit and stops. There is one door, it asks one gate,
// and nothing but the door writes to a session.
func TestNoSecondOrderPath(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	_, sources := load(t, root)
	found, gates := secondPaths(sources)
	for _, f := range found {
		t.Error(f)
	}
	if gates != 1 {
		t.Errorf("the gate is asked in %d places, want 1", gates)
	}
	for _, code := range []string{
		"func (d *Desk) pairs(h *held) { h.trader.Place(nil, x) }",
		"func (d *Desk) sweep(h *held) { h.trader.Place(nil, x) }",
		"func (d *Desk) pairs(h *held) { d.place(nil, h) }",
		"func (d *Desk) pairs(h *held) { d.decide(nil, h) }",
		"func (d *Desk) pairs(h *held) { d.gate.Decide(v, in) }",
	} {
		if found, _ := secondPaths([]source{{pkg: "broker/desk", name: "a.go", ast: parse(t, code)}}); len(found) != 1 {
			t.Errorf("%s: %q", code, found)
		}
	}
	if found, _ := secondPaths([]source{{pkg: "runner", name: "a.go", ast: parse(t, "func f() { _ = broker.Ticket{} }")}}); len(found) != 1 {
		t.Errorf("a ticket made by the runner: %q", found)
	}
}

func parse(t *testing.T, code string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "a.go", "package p\n"+code, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
