// Package health answers two questions about the running process: is it alive,
// and is it ready to trade.
//
// It promises that ready means what the link's own state says and nothing
// softer, and that a component which reported trouble makes the answer "not
// ready" until it takes that back. It does not serve HTTP and asks nobody:
// what it was not told, it does not know.
//
// # Design
//
// The registry is a small table of the newest words. The link's owner tells
// every change; so does a component, when it has trouble and when that is
// over. Answers are computed on demand.
//
// The [Alarm] is the one part with a goroutine. It depends on nothing but the
// registry and the clock: an alarm that the very failure it tells of can
// switch off is none.
package health

import (
	"maps"
	"slices"
	"sync"
	"time"

	"robotrader/broker"
)

// Registry holds the newest word of the link and of each component. Make it
// with [New]. It is safe for concurrent use.
type Registry struct {
	mu         sync.Mutex // guards what follows
	link       *broker.Link
	components map[string]Component
}

// Component is what one part of the program said about itself last.
type Component struct {
	Name   string    `json:"name"`
	OK     bool      `json:"ok"`
	Detail string    `json:"detail"` // plain words: what is wrong and the mend, or "" when OK
	Since  time.Time `json:"since"`  // wall time of the last change between OK and not
}

// New returns a registry that knows nothing: not ready.
func New() *Registry { return &Registry{components: map[string]Component{}} }

// Link takes the newest state of the link. An older one, as after a race on
// the bus, is the caller's to leave out.
func (r *Registry) Link(l broker.Link) {
	r.mu.Lock()
	r.link = &l
	r.mu.Unlock()
}

// Report takes a component's word about itself. An empty detail means that it
// is well.
func (r *Registry) Report(name, detail string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, known := r.components[name]
	ok := detail == ""
	if !known || c.OK != ok {
		c.Since = time.Now()
	}
	c.Name, c.OK, c.Detail = name, ok, detail
	r.components[name] = c
}

// word is what the link said last, as the alarm needs it.
type word struct {
	ready                bool
	state, cause, advice string
}

// word returns the link's newest word; told is false when there was none. The
// components, of which the alarm is one, are not in it.
func (r *Registry) word() (w word, told bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.link == nil {
		return word{}, false
	}
	return word{r.link.State == broker.Ready, r.link.State.String(), r.link.Cause, r.link.Advice}, true
}

// Ready is the content of /readyz.
type Ready struct {
	Ready  bool      `json:"ready"`
	State  string    `json:"state"` // of the link; "starting" before its first word
	Rung   string    `json:"rung"`
	Since  time.Time `json:"since"`
	Cause  string    `json:"cause"`
	Advice string    `json:"advice"`
	// Trouble are the components that are not well.
	Trouble []Component `json:"trouble,omitempty"`
}

// Ready answers whether the program can trade: the link is ready and no
// component has trouble.
func (r *Registry) Ready() Ready {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := Ready{State: "starting", Cause: "the link has not told its state yet", Advice: "wait a second"}
	if l := r.link; l != nil {
		a = Ready{State: l.State.String(), Rung: l.Rung, Since: l.Since, Cause: l.Cause, Advice: l.Advice}
		a.Ready = l.State == broker.Ready
	}
	for _, name := range slices.Sorted(maps.Keys(r.components)) {
		if c := r.components[name]; !c.OK {
			a.Trouble = append(a.Trouble, c)
			a.Ready = false
		}
	}
	return a
}

// Alive is the content of /healthz.
type Alive struct {
	Alive      bool        `json:"alive"` // always: a process that cannot say so does not answer
	Components []Component `json:"components"`
}

// Alive answers that the process serves, and how its components are.
func (r *Registry) Alive() Alive {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := Alive{Alive: true, Components: []Component{}}
	for _, name := range slices.Sorted(maps.Keys(r.components)) {
		a.Components = append(a.Components, r.components[name])
	}
	return a
}
