package event_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"robotrader/broker/order"
	"robotrader/services/event"
)

// described is asyncapi.yaml, read as JSON. Its objects are made strict: the
// file lets fields be added, and the test wants each of them in it.
func described(t *testing.T) map[string]any {
	t.Helper()
	b, err := os.ReadFile("asyncapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := yaml.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	b, err = json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	doc = v.(map[string]any)
	strict(doc)
	return doc
}

func strict(v any) {
	switch v := v.(type) {
	case map[string]any:
		if _, more := v["additionalProperties"]; v["type"] == "object" && !more {
			v["additionalProperties"] = false
		}
		for _, e := range v {
			strict(e)
		}
	case []any:
		for _, e := range v {
			strict(e)
		}
	}
}

// dig follows the keys into the document, nil when one is not there.
func dig(v any, keys ...string) any {
	for _, k := range keys {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[k]
	}
	return v
}

// judge compiles the schema of each message by its name, which is its golden
// file's.
func judge(t *testing.T, doc map[string]any) map[string]*jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	c.AssertFormat()
	if err := c.AddResource("asyncapi.json", doc); err != nil {
		t.Fatal(err)
	}
	list := map[string]*jsonschema.Schema{}
	for key, m := range dig(doc, "components", "messages").(map[string]any) {
		s, err := c.Compile("asyncapi.json#/components/messages/" + key + "/payload")
		if err != nil {
			t.Fatal(err)
		}
		name := dig(m, "name").(string)
		if list[name] != nil {
			t.Errorf("two messages are called %s", name)
		}
		list[name] = s
	}
	return list
}

func payload(t *testing.T, file string) any {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestAsyncAPIDescribesEveryPayload holds each golden file against its schema;
// a message without a file, or a file without a message, is a fault, too.
func TestAsyncAPIDescribesEveryPayload(t *testing.T) {
	schemas := judge(t, described(t))
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".json")
		s := schemas[name]
		if s == nil {
			t.Errorf("%s has no message in asyncapi.yaml", name)
			continue
		}
		delete(schemas, name)
		if err := s.Validate(payload(t, f)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	delete(schemas, "error") // has no topic; TestErrorAnswer
	for name := range schemas {
		t.Errorf("message %s in asyncapi.yaml has no golden file", name)
	}
}

// TestErrorAnswer is what the bus sends in place of an answer.
func TestErrorAnswer(t *testing.T) {
	s := judge(t, described(t))["error"]
	if err := s.Validate(map[string]any{"error": "busy"}); err != nil {
		t.Error(err)
	}
	if err := s.Validate(map[string]any{"data": map[string]any{}}); err == nil {
		t.Error("an answer passes for an error")
	}
}

// TestAsyncAPIHasNoOtherField takes every property of every schema that a golden
// file reaches: the files are whole (TestGoldenIsWhole), so one that is in none
// is in no payload.
func TestAsyncAPIHasNoOtherField(t *testing.T) {
	doc := described(t)
	used := map[string]bool{}
	for _, m := range dig(doc, "components", "messages").(map[string]any) {
		name := dig(m, "name").(string)
		if name == "error" {
			continue
		}
		fields(t, doc, used, name, dig(m, "payload"), payload(t, filepath.Join("testdata", name+".json")))
	}
	for name := range dig(doc, "components", "schemas").(map[string]any) {
		if !used[name] {
			t.Errorf("schema %s is used by no message", name)
		}
	}
}

// fields walks a schema along a payload.
func fields(t *testing.T, doc map[string]any, used map[string]bool, path string, schema, v any) {
	t.Helper()
	s, ok := schema.(map[string]any)
	if !ok {
		return
	}
	if ref, ok := s["$ref"].(string); ok {
		name := ref[strings.LastIndexByte(ref, '/')+1:]
		used[name] = true
		fields(t, doc, used, path, dig(doc, "components", "schemas", name), v)
		return
	}
	for _, k := range []string{"allOf", "oneOf"} {
		if list, ok := s[k].([]any); ok {
			for _, one := range list {
				fields(t, doc, used, path, one, v)
			}
		}
	}
	switch v := v.(type) {
	case map[string]any:
		if props, ok := s["properties"].(map[string]any); ok {
			for k, p := range props {
				if _, there := v[k]; !there {
					t.Errorf("%s.%s is in asyncapi.yaml and in no payload", path, k)
				}
				fields(t, doc, used, path+"."+k, p, v[k])
			}
		}
		for k, e := range v {
			fields(t, doc, used, path+"."+k, s["additionalProperties"], e)
		}
	case []any:
		for _, e := range v {
			fields(t, doc, used, path+"[]", s["items"], e)
		}
	}
}

// TestAsyncAPIHasEverySubject: each topic and query of the code is a channel,
// each channel is one of them, and each is told or answered by an operation.
func TestAsyncAPIHasEverySubject(t *testing.T) {
	doc := described(t)
	want := map[string]string{} // address → topic
	for _, g := range goldens() {
		topic := strings.TrimSuffix(strings.TrimSuffix(g.file, ".question"), ".answer")
		address := event.Subject("{instance}", topic)
		switch {
		case event.HasSymbol(topic):
			address = event.Subject("{instance}", topic, "{symbol}")
		case topic == event.OrderRequest.Name:
			address = event.OrderFrom("{instance}", "{strategy}")
		}
		want[address] = topic
	}
	operated := map[string]bool{}
	for name, o := range dig(doc, "operations").(map[string]any) {
		operated[dig(o, "channel", "$ref").(string)] = true
		if r, ok := dig(o, "reply", "channel", "$ref").(string); ok {
			operated[r] = true
		} else if dig(o, "action") != "send" {
			t.Errorf("operation %s receives and has no reply", name)
		}
	}
	for name, c := range dig(doc, "channels").(map[string]any) {
		if !operated["#/channels/"+name] {
			t.Errorf("channel %s has no operation", name)
		}
		address, ok := dig(c, "address").(string)
		if !ok {
			continue // an inbox
		}
		if want[address] == "" {
			t.Errorf("channel %s: no topic of the code has the subject %s", name, address)
		}
		delete(want, address)
		params, _ := dig(c, "parameters").(map[string]any)
		if n := strings.Count(address, "{"); n != len(params) {
			t.Errorf("channel %s has %d parameters in its address and names %d", name, n, len(params))
		}
	}
	for address, topic := range want {
		t.Errorf("topic %s (%s) is not in asyncapi.yaml", topic, address)
	}
	refs(t, doc, doc)
}

// refs follows every reference.
func refs(t *testing.T, doc map[string]any, v any) {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			if dig(doc, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...) == nil {
				t.Errorf("%s leads nowhere", ref)
			}
		}
		for _, e := range v {
			refs(t, doc, e)
		}
	case []any:
		for _, e := range v {
			refs(t, doc, e)
		}
	}
}

// TestAsyncAPIBites proves that the schemas refuse what a payload must not be.
func TestAsyncAPIBites(t *testing.T) {
	schemas := judge(t, described(t))
	for _, tt := range []struct{ file, from, to string }{
		{"desk.order", `"qty": "100"`, `"qty": 100`},
		{"desk.order", `"state": "partial"`, `"state": "odd"`},
		{"desk.order", `"ref"`, `"reference"`},
		{"desk.order", `"symbol": "AAPL",`, ``},
		{"desk.fill", `"price": "187.25"`, `"price": "1e3"`},
		{"desk.ticks", `"at": "2026-04-02T14:29:59Z"`, `"at": "yesterday"`},
		{"bus", `"desk.order": 7`, `"desk.order": "7"`},
		{"order.request.question", `"side": "BUY"`, `"side": "buy"`},
	} {
		b, err := os.ReadFile(filepath.Join("testdata", tt.file+".json"))
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.Replace(string(b), tt.from, tt.to, 1)
		if changed == string(b) {
			t.Fatalf("%s holds no %s", tt.file, tt.from)
		}
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(changed))
		if err != nil {
			t.Fatal(err)
		}
		if err := schemas[tt.file].Validate(v); err == nil {
			t.Errorf("%s with %s passes", tt.file, tt.to)
		}
	}
}

// TestAsyncAPINamesTheStates holds the words of the order's states against the
// code's.
func TestAsyncAPINamesTheStates(t *testing.T) {
	list := dig(described(t), "components", "schemas", "OrderState", "enum").([]any)
	for i, s := range list {
		if got := fmt.Sprint(order.State(i)); got != s {
			t.Errorf("state %d is %q in the code and %q in asyncapi.yaml", i, got, s)
		}
	}
	if odd := regexp.MustCompile(`^state\(`); !odd.MatchString(fmt.Sprint(order.State(len(list)))) {
		t.Errorf("the code has a state %v that asyncapi.yaml has not", order.State(len(list)))
	}
	if !slices.Contains(list, any("unknown")) {
		t.Error("the unknown state is missing")
	}
}
