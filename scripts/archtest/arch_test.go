package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "robotrader"

// levels names the row of each package; the longest match wins. An import may
// only point to a lower row, with the exceptions listed below.
var levels = []struct {
	prefix string
	level  int
	family string // of row 4; families never import each other
}{
	{"cmd", 6, ""},
	{"configs", 5, ""},
	{"broker/supervisor", 4, "broker"},
	{"broker/desk", 4, "broker"},
	{"broker/ibkr", 4, "broker"},
	{"broker/sim", 4, "broker"},
	{"broker/brokertest", 4, "broker"},
	{"runner", 4, "runner"},
	{"websocket", 4, "websocket"},
	{"services/journal", 4, "journal"},
	{"services/diag", 4, "diag"},
	{"broker/desk/books", 3, ""},
	{"broker/desk/floor", 3, ""},
	{"broker/desk/guard", 3, ""},
	{"broker/desk/reconcile", 3, ""},
	{"broker/desk/score", 3, ""},
	{"broker/desk/unwind", 3, ""},
	{"services/alert", 4, "alert"},
	{"services/bus", 3, ""},
	{"services/task", 3, ""},
	{"services/host", 3, ""},
	{"services/health", 3, ""},
	{"services/notify", 3, ""},
	{"services/telemetry", 3, ""},
	{"services/event", 2, ""},
	{"services/stamp", 0, ""},
	{"services/secret", 2, ""},
	{"broker/ibkr/pace", 2, ""},
	{"broker", 1, ""},
	{"broker/exchange", 1, ""},
	{"broker/ibkr/wire", 1, ""},
	{"runner/indicator", 1, ""},
	{"runner/portfolio", 1, ""},
	{"broker/market", 0, ""},
	{"broker/market/calendar", 0, ""},
	{"broker/order", 0, ""},
	{"scripts", 7, ""},
}

// sideways lists what may be imported within one row, beside the families of
// row 4: importer to imported.
var sideways = map[[2]string]bool{
	{"broker/order", "broker/market"}:           true,
	{"broker/market/calendar", "broker/market"}: true,
	{"broker/exchange", "broker"}:               true,
	{"broker/exchange/tape", "broker"}:          true,
	{"broker/exchange/tape", "broker/exchange"}: true,
	{"broker/exchange", "broker/exchange/tape"}: true,
	{"runner/portfolio", "broker"}:              true,
	{"services/bus", "services/task"}:           true,

	{"broker/desk/guard", "broker/desk/books"}:     true,
	{"broker/desk/reconcile", "broker/desk/books"}: true,
	{"broker/desk/score", "broker/desk/books"}:     true,
	{"broker/desk/unwind", "broker/desk/books"}:    true,
	{"services/bus/bridge", "services/bus"}:        true,
	{"services/bus/bridge", "services/task"}:       true,
	{"broker/desk/unwind", "broker/desk/guard"}:    true, // which group an order that closes joins
}

// parts are what desk is made of: nouns of its own that are pure, so that the
// one command loop is all that runs. Desk alone imports them; they start no
// goroutine, wait for nothing and read no clock.
const parts = "broker/desk/"

// adapters never import each other; sim opens the gateway that it starts with
// the ordinary adapter, which is the one exception.
var adapters = []string{"broker/ibkr", "broker/sim", "broker/brokertest"}

// confined lists the libraries that one package alone may import.
var confined = []struct {
	library string
	allowed func(pkg, file string) bool
	rule    string
}{
	{"go.uber.org/fx", func(pkg, file string) bool {
		return file == "module.go" || strings.HasPrefix(pkg, "cmd/")
	}, "fx only in module.go files and cmd"},
	{"github.com/gorilla/websocket", only("websocket/hub"), "gorilla only in websocket/hub"},
	{"github.com/nats-io/", func(pkg, _ string) bool {
		// The bridge leads from the bus to programs outside, and the example is
		// one: it shows what a program does that has nothing of ours.
		return pkg == "services/bus" || pkg == "services/bus/bridge" || strings.HasPrefix(pkg, "scripts/examples/")
	}, "nats only in services/bus"},
	{"github.com/knadh/koanf", only("configs"), "koanf only in configs"},
	{module + "/services/journal/faultfs", func(string, string) bool { return false }, "the faulty disk only in tests"},
}

func only(pkg string) func(string, string) bool {
	return func(p, _ string) bool { return p == pkg }
}

type source struct {
	pkg  string // folder below the root, with slashes
	name string // file name
	test bool
	ast  *ast.File
}

func lookup(pkg string) (level int, family string, ok bool) {
	best := -1
	for i, l := range levels {
		if (pkg == l.prefix || strings.HasPrefix(pkg, l.prefix+"/")) && (best < 0 || len(l.prefix) > len(levels[best].prefix)) {
			best = i
		}
	}
	if best < 0 {
		return 0, "", false
	}
	return levels[best].level, levels[best].family, true
}

// judge returns every breach in the sources given.
func judge(fset *token.FileSet, sources []source) []string {
	var breaches []string
	documented, seen := map[string]bool{}, map[string]bool{}
	for _, s := range sources {
		if s.test {
			continue // tests may import what they test, and start goroutines
		}
		seen[s.pkg] = true
		if s.ast.Doc != nil {
			documented[s.pkg] = true
		}
		breach := func(at token.Pos, format string, a ...any) {
			breaches = append(breaches, fmt.Sprintf("%s: %s", fset.Position(at), fmt.Sprintf(format, a...)))
		}
		level, family, ok := lookup(s.pkg)
		if !ok {
			breach(s.ast.Package, "package %s has no row in archtest: say where it belongs", s.pkg)
			continue
		}
		for _, imp := range s.ast.Imports {
			p, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				continue
			}
			judgeLibrary(s, p, imp.Pos(), breach)
			if in, ok := strings.CutPrefix(p, module+"/"); ok {
				judgeImport(s.pkg, level, family, in, imp.Pos(), breach)
			}
		}
		judgeCode(s, level, breach)
	}
	for pkg := range seen {
		if !documented[pkg] {
			breaches = append(breaches, pkg+": package without a doc comment")
		}
	}
	slices.Sort(breaches)
	return breaches
}

type breachFunc func(at token.Pos, format string, a ...any)

func judgeLibrary(s source, imported string, at token.Pos, breach breachFunc) {
	for _, c := range confined {
		if strings.HasPrefix(imported, c.library) && !c.allowed(s.pkg, s.name) {
			breach(at, "%s: %s imports %s", c.rule, s.pkg, imported)
		}
	}
	if imported == "context" && strings.HasPrefix(s.pkg, parts) {
		breach(at, "%s is pure: it waits for nothing and needs no context", s.pkg)
	}
	if imported == "net" && strings.HasPrefix(s.pkg, "cmd/") {
		breach(at, "no dialling in cmd: never a bare TCP connect to a gateway's port")
	}
}

func judgeImport(pkg string, level int, family, in string, at token.Pos, breach breachFunc) {
	l, f, ok := lookup(in)
	switch {
	case !ok:
		breach(at, "%s imports %s, which has no row", pkg, in)
	case in == "configs" && level != 6:
		breach(at, "configs is imported by cmd only: %s imports it", pkg)
	case strings.HasPrefix(in, parts) && pkg != "broker/desk" && !sideways[[2]string{pkg, in}]:
		breach(at, "the parts of desk are desk's alone: %s imports %s", pkg, in)
	case l < level:
	case l > level:
		breach(at, "imports point down: %s (row %d) imports %s (row %d)", pkg, level, in, l)
	case level == 4 && family != f:
		breach(at, "families never import each other: %s imports %s", pkg, in)
	case level == 4:
		if slices.Contains(adapters, pkg) && slices.Contains(adapters, in) && (pkg != "broker/sim" || in != "broker/ibkr") {
			breach(at, "an adapter never imports an adapter: %s imports %s", pkg, in)
		}
	case level >= 6, sideways[[2]string{pkg, in}]:
	default:
		breach(at, "%s may not import %s, which is in the same row", pkg, in)
	}
}

func judgeCode(s source, level int, breach breachFunc) {
	ast.Inspect(s.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			if level <= 2 || strings.HasPrefix(s.pkg, parts) {
				breach(n.Pos(), "%s is pure: it starts no goroutine", s.pkg)
			}
		case *ast.FuncDecl:
			if n.Name.Name == "init" && n.Recv == nil {
				breach(n.Pos(), "no init functions")
			}
		case *ast.SelectorExpr:
			judgeSelector(s, n, breach)
		}
		return true
	})
}

func judgeSelector(s source, n *ast.SelectorExpr, breach breachFunc) {
	x, ok := n.X.(*ast.Ident)
	if !ok {
		return
	}
	switch {
	case x.Name == "broker" && n.Sel.Name == "Trader":
		if s.pkg != "broker/desk" && !slices.Contains(adapters, s.pkg) {
			breach(n.Pos(), "one door: only desk and the adapters may name broker.Trader, not %s", s.pkg)
		}
	case x.Name == "net" && strings.HasPrefix(n.Sel.Name, "Dial"):
		// A connection that opens and does not speak makes a gateway hang; the
		// one that dials is the one that then makes the handshake.
		// A mail server is none, and the ports of gateways are refused there.
		mail := s.pkg == "services/alert/post" && s.name == "mail.go"
		// So does the NATS client, by itself; lines.go dials for it to be able to end.
		nodes := s.pkg == "services/bus/bridge" && s.name == "lines.go"
		if s.pkg != "broker/ibkr" && !mail && !nodes && !strings.HasPrefix(s.pkg, "scripts/") {
			breach(n.Pos(), "only broker/ibkr dials, and then it speaks: %s may not name net.%s", s.pkg, n.Sel.Name)
		}
	case x.Name == "time" && (n.Sel.Name == "Now" || n.Sel.Name == "Since") && strings.HasPrefix(s.pkg, parts):
		breach(n.Pos(), "%s is pure: time is an argument, not time.%s", s.pkg, n.Sel.Name)
	case x.Name == "time" && n.Sel.Name == "Sleep":
		breach(n.Pos(), "time.Sleep is no synchronisation")
	}
}

func load(t *testing.T, root string) (*token.FileSet, []source) {
	t.Helper()
	fset := token.NewFileSet()
	var sources []source
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if n := d.Name(); p != root && (strings.HasPrefix(n, ".") || n == "node_modules" || n == "testdata" || n == "bin" || n == "data") {
				return filepath.SkipDir
			}
			return nil
		}
		if path.Ext(p) != ".go" {
			return nil
		}
		f, err := parser.ParseFile(fset, p, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(p))
		if err != nil {
			return err
		}
		sources = append(sources, source{filepath.ToSlash(rel), d.Name(), strings.HasSuffix(d.Name(), "_test.go"), f})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return fset, sources
}

func TestArchitecture(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatal(err)
	}
	fset, sources := load(t, root)
	if len(sources) < 20 {
		t.Fatalf("only %d sources found below %s: the walk is broken", len(sources), root)
	}
	for _, b := range judge(fset, sources) {
		t.Error(strings.TrimPrefix(b, root+string(filepath.Separator)))
	}
}

// TestRulesBite proves that each rule refuses what it is there for.
func TestRulesBite(t *testing.T) {
	for _, tt := range []struct{ pkg, file, code, want string }{
		{"broker/market", "a.go", `import "robotrader/broker"`, "imports point down"},
		{"broker", "a.go", `import "robotrader/services/bus"`, "imports point down"},
		{"broker", "a.go", `import "robotrader/broker/exchange"`, "same row"},
		{"runner", "a.go", `import "robotrader/broker/desk"`, "families never"},
		{"websocket/feed", "a.go", `import "robotrader/runner"`, "families never"},
		{"broker/ibkr", "a.go", `import "robotrader/broker/brokertest"`, "an adapter never"},
		{"broker/ibkr/pace", "a.go", `import "robotrader/broker/ibkr"`, "imports point down"},
		{"broker/ibkr/pace", "a.go", `func f() { go f() }`, "starts no goroutine"},
		{"broker/desk", "a.go", `import "robotrader/configs"`, "configs is imported by cmd only"},
		{"broker/desk", "a.go", `import "go.uber.org/fx"`, "fx only"},
		{"websocket/server", "a.go", `import "github.com/gorilla/websocket"`, "gorilla only"},
		{"runner", "a.go", `import "github.com/nats-io/nats.go"`, "nats only"},
		{"runner", "a.go", `import "github.com/knadh/koanf/v2"`, "koanf only"},
		{"services/journal", "a.go", `import "robotrader/services/journal/faultfs"`, "only in tests"},
		{"broker/exchange", "a.go", `func f() { go f() }`, "starts no goroutine"},
		{"runner", "a.go", `func init() {}`, "no init"},
		{"runner", "a.go", "import \"robotrader/broker\"\nvar t broker.Trader", "one door"},
		{"runner", "a.go", "import \"time\"\nfunc f() { time.Sleep(1) }", "no synchronisation"},
		{"services/diag", "a.go", "import \"net\"\nvar d net.Dialer", "only broker/ibkr dials"},
		{"broker/desk/books", "a.go", `func f() { go f() }`, "starts no goroutine"},
		{"broker/desk/books", "a.go", `import "context"`, "needs no context"},
		{"broker/desk/books", "a.go", "import \"time\"\nvar t = time.Now()", "time is an argument"},
		{"broker/desk/books", "a.go", `import "robotrader/services/bus"`, "same row"},
		{"broker/desk/books", "a.go", `import "robotrader/broker/desk"`, "imports point down"},
		{"broker/desk/books", "a.go", `import "robotrader/broker/desk/reconcile"`, "desk's alone"},
		{"broker/supervisor", "a.go", `import "robotrader/broker/desk/books"`, "desk's alone"},
		{"runner", "a.go", `import "robotrader/broker/desk/books"`, "desk's alone"},
		{"cmd/start_trader", "a.go", `import "robotrader/broker/desk/books"`, "desk's alone"},
		{"services/alert/post", "http.go", "import \"net\"\nvar d net.Dialer", "only broker/ibkr dials"},
		{"services/bus/bridge", "bridge.go", "import \"net\"\nvar d net.Dialer", "only broker/ibkr dials"},
		{"nowhere", "a.go", ``, "no row"},
	} {
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, tt.file, "// Package p is documented.\npackage p\n"+tt.code, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		got := judge(fset, []source{{pkg: tt.pkg, name: tt.file, ast: f}})
		if len(got) != 1 || !strings.Contains(got[0], tt.want) {
			t.Errorf("%s with %q: breaches %q, want one that says %q", tt.pkg, tt.code, got, tt.want)
		}
	}
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "a.go", "package p", parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	if got := judge(fset, []source{{pkg: "runner", name: "a.go", ast: f}}); len(got) != 1 || !strings.Contains(got[0], "doc comment") {
		t.Errorf("a package without a doc comment: %q", got)
	}
	for _, tt := range []struct{ pkg, file, code string }{
		{"broker/sim", "a.go", `import "robotrader/broker/ibkr"`},
		{"broker/desk", "module.go", `import "go.uber.org/fx"`},
		{"broker/desk", "a.go", "import \"robotrader/broker\"\nvar t broker.Trader"},
		{"broker/order", "a.go", `import "robotrader/broker/market"`},
		{"broker/desk", "a.go", `import "robotrader/broker/desk/books"`},
		{"broker/desk/reconcile", "a.go", `import "robotrader/broker/desk/books"`},
		{"cmd/start_trader", "a.go", `import "robotrader/configs"`},
		{"broker/ibkr", "a.go", "import \"net\"\nvar d net.Dialer"},
		{"services/alert/post", "mail.go", "import \"net\"\nvar d net.Dialer"},
		{"services/bus/bridge", "lines.go", "import \"net\"\nvar d net.Dialer"},
	} {
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, tt.file, "// Package p is documented.\npackage p\n"+tt.code, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if got := judge(fset, []source{{pkg: tt.pkg, name: tt.file, ast: f}}); len(got) != 0 {
			t.Errorf("%s with %q is legal, but: %q", tt.pkg, tt.code, got)
		}
	}
}

// TestNoScriptKnocks holds the shell to the same rule: none of ours looks
// whether a port is open by connecting to it.
func TestNoScriptKnocks(t *testing.T) {
	knock := regexp.MustCompile(`(^|[\s;|&(])(nc|ncat|netcat|telnet|socat)\s|/dev/tcp/`)
	seen := 0
	err := filepath.WalkDir("../..", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git" || d.Name() == "data") {
			return filepath.SkipDir
		}
		if !d.Type().IsRegular() || filepath.Ext(p) != ".sh" && d.Name() != "start_trader" && filepath.Ext(p) != ".service" && !strings.Contains(d.Name(), "ontainerfile") {
			return nil
		}
		if info, err := d.Info(); err != nil || info.Size() > 1<<20 {
			return err // a binary of that name
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		seen++
		for i, line := range strings.Split(string(b), "\n") {
			if code, _, _ := strings.Cut(line, "#"); knock.MatchString(code) {
				t.Errorf("%s:%d connects without speaking: %s", p, i+1, strings.TrimSpace(line))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 8 {
		t.Errorf("%d scripts found: the walk is broken", seen)
	}
	if !knock.MatchString("nc -z localhost 4002") || !knock.MatchString("(echo >/dev/tcp/127.0.0.1/4002)") || knock.MatchString("rsync -a x y") {
		t.Error("the rule does not bite")
	}
}
