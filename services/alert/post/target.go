package post

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"robotrader/services/secret"
)

// Target is one place to which messages go. Make them with [Parse].
type Target struct {
	// Name tells it apart in logs, metrics and on the page: its service, and a
	// number where there are several, such as "ntfy" and "ntfy-2".
	Name string
	// Where is the host that it is at, for people.
	Where string
	// Plain says that the messages and a token go over the network as they
	// are, without encryption, to another machine.
	Plain bool
	// words are the secrets of its URL, which a service may quote to refuse it.
	words *secret.Redactor
	send  func(ctx context.Context, c *http.Client, m Message) error
}

// builders make the targets of an URL by its scheme.
var builders = map[string]func(u *url.URL) ([]Target, error){
	"telegram": telegramTargets,
	"slack":    slackTarget,
	"smtp":     mailTarget,
	"ntfy":     ntfyTarget,
	"generic":  webhookTarget,
}

// gatewayPorts are those of IB Gateway and TWS: what connects there and does
// not speak their language leaves them hanging.
var gatewayPorts = []string{"4001", "4002", "7496", "7497"}

// maxTargets bounds the places; each has a goroutine and a queue.
const maxTargets = 16

// Parse returns the targets of service URLs, with names of their own, or all
// that is wrong with them. An error names an URL by its place in the list and
// shows nothing of it but the service.
func Parse(urls []string) ([]Target, error) {
	var list []Target
	var errs []error
	var words secret.Redactor
	for i, raw := range urls {
		words.Add(secret.InURL(raw)...)
		t, err := parse(raw)
		if err != nil {
			errs = append(errs, fmt.Errorf("URL %d: %s", i+1, words.Text(err.Error())))
			continue
		}
		own := new(secret.Redactor)
		own.Add(secret.InURL(raw)...)
		for j := range t {
			t[j].words = own
		}
		list = append(list, t...)
	}
	if len(list) > maxTargets {
		errs = append(errs, fmt.Errorf("%d places to tell; at most %d are taken", len(list), maxTargets))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	seen := map[string]int{}
	for i := range list {
		name := list[i].Name
		if seen[name]++; seen[name] > 1 {
			list[i].Name = fmt.Sprintf("%s-%d", name, seen[name])
		}
	}
	return list, nil
}

const grammar = "see https://shoutrrr.nickfedor.com for how one is written"

func parse(raw string) ([]Target, error) {
	u, err := url.Parse(raw)
	if err != nil { // its text quotes the URL
		return nil, errors.New("it is no URL such as ntfy://ntfy.sh/topic; signs that have a meaning in URLs are written as %40 for @, %2F for /, %23 for #; " + grammar)
	}
	scheme, _, _ := strings.Cut(u.Scheme, "+")
	build, ok := builders[scheme]
	if !ok {
		schemes := make([]string, 0, len(builders))
		for s := range builders {
			schemes = append(schemes, s)
		}
		slices.Sort(schemes)
		return nil, fmt.Errorf("service %.20q is none of %s (generic is a webhook); %s", u.Scheme, strings.Join(schemes, ", "), grammar)
	}
	if scheme != "generic" && u.Scheme != scheme {
		return nil, fmt.Errorf("%s: %.20q is not taken; write %s://; %s", scheme, u.Scheme, scheme, grammar)
	}
	if slices.Contains(gatewayPorts, u.Port()) {
		return nil, fmt.Errorf("%s: port %s is the broker's gateway's, and a stranger's connection makes it hang; name the service's own port", scheme, u.Port())
	}
	t, err := build(u)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; %s", scheme, err, grammar)
	}
	return t, nil
}

// Send delivers a message, or says why not: the error is a *[Error]. It
// returns when it is done or ctx ends.
func (t Target) Send(ctx context.Context, c *http.Client, m Message) error {
	m.Title, m.Text = cut(strings.Join(strings.Fields(m.Title), " "), 200), cut(m.Text, maxText)
	err := t.send(ctx, c, m)
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = &Error{Text: harmless(ctx, t.Where, err)}
	}
	e.Target, e.Text = t.Name, t.words.Text(e.Text)
	return e
}

// harmless returns what an error of the network says, without the URL that
// net/http puts before it.
func harmless(ctx context.Context, where string, err error) string {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	var dns *net.DNSError
	slow, _ := errors.AsType[net.Error](err)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return "the trader stopped meanwhile"
	case errors.As(err, &dns) && ctx.Err() == nil:
		return fmt.Sprintf("no address of %s is known: %s", where, dns.Err)
	case errors.Is(ctx.Err(), context.DeadlineExceeded), slow != nil && slow.Timeout():
		return where + " did not answer in time"
	}
	return fmt.Sprintf("%s: %.200s", where, err.Error())
}

// local reports whether a host is this machine, where encryption is not needed.
func local(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
