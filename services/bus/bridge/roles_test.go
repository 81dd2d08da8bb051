package bridge

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.yaml.in/yaml/v3"

	"robotrader/services/event"
)

// TestPermissionsAreWhatTheContractSays holds what the listening server lets
// through against asyncapi.yaml, subject by subject, so that the two cannot part.
func TestPermissionsAreWhatTheContractSays(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "event", "asyncapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Info     struct{ Description string }
		Channels map[string]struct {
			Address, Description string
			Roles                []string `yaml:"x-roles"`
		}
		Operations map[string]struct {
			Action  string
			Channel struct {
				Ref string `yaml:"$ref"`
			}
		}
	}
	if err := yaml.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	_, prose, _ := strings.Cut(doc.Info.Description, "Permissions of a strategy:")
	prose, _, _ = strings.Cut(prose, "An\nobserver")
	words := strings.FieldsFunc(prose, func(r rune) bool { return strings.ContainsRune(" ,;\n", r) })
	for _, role := range []string{roleStrategy, roleObserver} {
		var sub, pub []string
		for _, op := range doc.Operations {
			c := doc.Channels[strings.TrimPrefix(op.Channel.Ref, "#/channels/")]
			if c.Address == "" || c.Roles == nil {
				t.Fatalf("%s has no address, or no x-roles: %+v", op.Channel.Ref, c)
			}
			subject := strings.NewReplacer("{instance}", "main", "{symbol}", "*", "{strategy}", "dip").Replace(c.Address)
			inside := strings.Contains(c.Description, "stays inside") || strings.Contains(c.Description, "Between traders")
			switch has := slices.Contains(c.Roles, role); {
			case inside != (len(c.Roles) == 0):
				t.Errorf("%s: x-roles %v, and its description says %q", subject, c.Roles, c.Description)
			case !has && role == roleObserver && op.Action == "send" && !inside:
				t.Errorf("an observer does not hear %s", subject)
			case has && op.Action == "send":
				sub = append(sub, subject)
			case has:
				pub = append(pub, subject)
			}
			topic := strings.Replace(strings.TrimPrefix(subject, "trader.main."), ".dip", ".<its", 1)
			if role == roleStrategy && slices.Contains(words, topic) != slices.Contains(c.Roles, role) {
				t.Errorf("x-roles of %s are %v; the description's permissions of a strategy are %q", topic, c.Roles, prose)
			}
		}
		sub = append(sub, "_INBOX.dip.>")
		p := permissions("main", user{name: "dip", role: role})
		for _, x := range []struct {
			what         string
			allows, says []string
		}{{"hear", p.Subscribe.Allow, sub}, {"say", p.Publish.Allow, pub}} {
			slices.Sort(x.allows)
			slices.Sort(x.says)
			if !slices.Equal(x.allows, x.says) {
				t.Errorf("%s may %s %q, and asyncapi.yaml says %q", role, x.what, x.allows, x.says)
			}
		}
	}
}

// What the contract calls kept is kept, and the alerts' state stays inside.
func TestQueueKeepsWhatTheContractSays(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "event", "asyncapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Channels map[string]struct{ Address, Description string }
	}
	if err := yaml.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	for _, c := range doc.Channels {
		topic := event.TopicOf("main", strings.Replace(c.Address, "{instance}", "main", 1))
		if says := strings.Contains(c.Description, "Kept"); says != slices.Contains(kept, topic) && topic != event.Link.Name {
			t.Errorf("%s: kept %t, and asyncapi.yaml says %q", topic, !says, c.Description)
		}
	}
	q := newQueue("main")
	q.come()
	q.put(event.Subject("main", event.Alert.Name), []byte(`{}`))
	if m, ok := q.take(); ok {
		t.Errorf("%s goes outside", m.subject)
	}
}

// TestProgramsBeyondTheBound: the bound is of programs, beside the bridge's own
// connections.
func TestProgramsBeyondTheBound(t *testing.T) {
	r := listening(t, nil)
	eventually(t, "the bridge's own are there", func() bool { return r.bridge.server.ns.NumClients() == ownClients })
	for range clientsMost {
		r.guest(t, "watch")
	}
	nc, err := nats.Connect("nats://"+r.bridge.Addr(), nats.UserInfo("watch", secretWord), nats.Timeout(5*time.Second))
	if err == nil {
		nc.Close()
		t.Fatalf("%d programs are connected", clientsMost+1)
	}
	eventually(t, "the log says it", func() bool { return strings.Contains(r.log.String(), "maximum connections exceeded") })
	if n := r.bridge.Stats().Clients; n != clientsMost {
		t.Errorf("%d clients", n)
	}
	if s := r.state(); s.State != event.BusUp {
		t.Errorf("the bridge: %+v", s)
	}
}
