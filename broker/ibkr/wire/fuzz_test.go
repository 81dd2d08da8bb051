package wire

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"runtime/metrics"
	"strconv"
	"testing"
)

func fuzzClient(f *testing.F, id int) { fuzzMessage(f, true, id) }
func fuzzServer(f *testing.F, id int) { fuzzMessage(f, false, id) }

// fuzzMessage feeds one decoder: no bytes make it panic or cost memory out of
// proportion, every error names its place, and what was read can be written
// and reads the same.
func fuzzMessage(f *testing.F, client bool, id int) {
	s, ok := sampleFor(client, id)
	if !ok {
		f.Fatalf("message %d has no sample", id)
	}
	seeds := s.encodings(f, 176, 187, 192, 196, 200)
	for _, file := range frameFiles {
		for _, frame := range frames(f, file) {
			if at, _ := PeekID(frame.payload); at == id && frame.client == client {
				seeds = append(seeds, frame)
			}
		}
	}
	for _, frame := range seeds {
		_, fields, _ := cutField(frame.payload)
		f.Add(byte(frame.version-MinVersion), fields)
	}
	f.Fuzz(func(t *testing.T, version byte, fields []byte) {
		v := MinVersion + Version(version)%(MaxVersion-MinVersion+1)
		w := newWriter(nil, v, "fuzz", id, client)
		checkStable(t, client, v, append(w.b, fields...))
	})
}

func cutField(b []byte) (field, rest []byte, ok bool) {
	for i, c := range b {
		if c == 0 {
			return b[:i], b[i+1:], true
		}
	}
	return b, nil, false
}

func checkStable(t *testing.T, client bool, v Version, in []byte) {
	decode, strict := DecodeServer, DecodeServerStrict
	if client {
		decode, strict = DecodeClient, DecodeClientStrict
	}
	before := heapAllocated()
	m, err := decode(v, in)
	if got := heapAllocated() - before; got > late+maxAllocation(len(in)) {
		t.Fatalf("%d bytes allocated for a frame of %d", got, len(in))
	}
	if err != nil {
		var fe *FieldError
		if !errors.As(err, &fe) || fe.Message == "" || fe.Field == "" || len(fe.Value) > 60 {
			t.Fatalf("%q: %v names no place", in, err)
		}
		return
	}
	b, err := m.Append(nil, v)
	if err != nil {
		t.Fatalf("%q was read as %+v, which cannot be written: %v", in, m, err)
	}
	again, err := strict(v, b)
	if err != nil {
		t.Fatalf("%q was written as %q, which cannot be read: %v", in, b, err)
	}
	if c, ok := m.(CancelOrder); ok && c.Incomplete {
		c.ExtOperator = "" // not written: whether it was sent is past telling
		m = c
	}
	if diff := difference(m, again); diff != "" {
		t.Fatalf("%q was written as %q: (-first +second)\n%s", in, b, diff)
	}
	if c, err := again.Append(nil, v); err != nil || string(c) != string(b) {
		t.Fatalf("%q was written as %q, then as %q, %v", in, b, c, err)
	}
}

// late is room for what was allocated earlier and is counted only now.
const late = 4 << 20

// heapAllocated is how much the program has allocated so far. What is small is
// counted late, in batches; a slice out of proportion is at once.
func heapAllocated() uint64 {
	sample := [1]metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample[:])
	return sample[0].Value.Uint64()
}

// TestEveryMessageIsFuzzed fails when a row of the tables has no target.
func TestEveryMessageIsFuzzed(t *testing.T) {
	ids := map[string]int{}
	for name, value := range declared(t, "table.go").consts {
		ids[name], _ = strconv.Atoi(value)
	}
	fuzzed := map[string]bool{}
	for _, call := range declared(t, "fuzz_targets_test.go").calls {
		id, ok := ids[call.id]
		if !ok {
			t.Errorf("%s fuzzes %s, which is no constant of table.go", call.in, call.id)
		}
		switch {
		case call.fun == "fuzzClient" && call.in == "FuzzClient"+call.id[len("ID"):]:
			fuzzed["client "+ClientName(id)] = true
		case call.fun == "fuzzServer" && call.in == "FuzzServer"+call.id[len("ID"):]:
			fuzzed["server "+Name(id)] = true
		default:
			t.Errorf("%s calls %s(f, %s), which its name does not say", call.in, call.fun, call.id)
		}
	}
	for _, name := range tableNames() {
		if !fuzzed[name] {
			t.Errorf("%s has no fuzz target in fuzz_targets_test.go", name)
		}
	}
}

type declarations struct {
	consts map[string]string // integer constants
	calls  []fuzzCall
}

// fuzzCall is a function and what it calls with an id.
type fuzzCall struct{ in, fun, id string }

func declared(t *testing.T, file string) declarations {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	d := declarations{consts: map[string]string{}}
	for _, decl := range tree.Decls {
		in := ""
		if f, ok := decl.(*ast.FuncDecl); ok {
			in = f.Name.Name
		}
		ast.Inspect(decl, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				if len(n.Values) == 1 {
					if value, ok := n.Values[0].(*ast.BasicLit); ok {
						d.consts[n.Names[0].Name] = value.Value
					}
				}
			case *ast.CallExpr:
				fun, ok1 := n.Fun.(*ast.Ident)
				if ok1 && len(n.Args) == 2 {
					if id, ok := n.Args[1].(*ast.Ident); ok {
						d.calls = append(d.calls, fuzzCall{in, fun.Name, id.Name})
					}
				}
			}
			return true
		})
	}
	return d
}
