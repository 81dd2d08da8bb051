package exchange

import (
	"cmp"
	"slices"
)

// Change is what changed between two looks at an exchange, to be appended to a
// log as a line of JSON. [State.Apply] folds it into the state before.
type Change struct {
	Version int `json:"version"`
	// Seq is that of the state after it.
	Seq uint64 `json:"seq"`
	Counters
	Accounts   []AccountState  `json:"accounts,omitempty"` // with the positions that changed
	Open       []OrderState    `json:"open,omitempty"`     // new, or changed
	Ended      []int64         `json:"ended,omitempty"`    // perm ids of orders that are not open any more
	Executions []ExecutionNote `json:"executions,omitempty"`
	// Replaced are versions that corrections replaced since.
	Replaced []ExecutionState `json:"replaced,omitempty"`
	Markets  []MarketState    `json:"markets,omitempty"`
}

// ExecutionNote is an execution and its place in the list of all: at the end
// for a new one, before it for a new version.
type ExecutionNote struct {
	Index int `json:"index"`
	ExecutionState
}

// watch notes what changes, from the first call of State on.
type watch struct {
	on       bool
	seq      uint64
	orders   map[int64]struct{}
	fills    int // told so far
	replaced int
	versions map[int]struct{} // of executions told before
}

func (w *watch) begin(x *Exchange) {
	w.on = true
	w.orders, w.versions = make(map[int64]struct{}), make(map[int]struct{})
	w.fills, w.replaced = len(x.fills), len(x.replaced)
	for _, a := range x.accounts {
		a.changed = false
		for _, p := range a.positions {
			p.changed = false
		}
	}
	for _, l := range x.listings {
		l.changed = false
	}
}

// order notes an order that changes without a report.
func (w *watch) order(o *resting) {
	if w.on {
		w.orders[o.PermID] = struct{}{}
	}
}

func (w *watch) version(i int) {
	if w.on && i < w.fills {
		w.versions[i] = struct{}{}
	}
}

// Changes returns what changed since the last call of it or of
// [Exchange.State], whichever was later; ok is false when nothing did, and
// before the first call of State. Prices are in it as they are now, not each
// that was between: who cares for them asks after events without reports, too.
func (x *Exchange) Changes() (c Change, ok bool) {
	w := &x.watch
	if !w.on {
		return Change{}, false
	}
	x.note()
	c = Change{Version: StateVersion, Seq: w.seq + 1, Counters: x.counters()}
	for _, id := range sortedKeys(x.accounts) {
		if a := x.accounts[id]; a.changed {
			c.Accounts = append(c.Accounts, a.changes())
		}
	}
	for _, symbol := range sortedKeys(x.listings) {
		if l := x.listings[symbol]; l.changed {
			c.Markets = append(c.Markets, l.state())
			for _, o := range l.trails.list { // their stops move without a report
				w.order(o)
			}
		}
	}
	for _, id := range sortedKeys(w.orders) {
		if o, open := x.open[id]; open {
			c.Open = append(c.Open, o.state())
		} else {
			c.Ended = append(c.Ended, id)
		}
	}
	for _, i := range sortedKeys(w.versions) {
		c.Executions = append(c.Executions, ExecutionNote{i, x.fills[i].state(false)})
	}
	for i := w.fills; i < len(x.fills); i++ {
		c.Executions = append(c.Executions, ExecutionNote{i, x.fills[i].state(false)})
	}
	for i := w.replaced; i < len(x.replaced); i++ {
		c.Replaced = append(c.Replaced, x.replaced[i].state(true))
	}
	if len(c.Accounts)+len(c.Open)+len(c.Ended)+len(c.Executions)+len(c.Markets) == 0 {
		return Change{}, false
	}
	w.seq++
	w.begin(x)
	return c, true
}

func (a *account) changes() AccountState {
	s := a.state()
	for _, symbol := range sortedKeys(a.positions) {
		if p := a.positions[symbol]; p.changed {
			s.Positions = append(s.Positions, p.state(symbol))
		}
	}
	return s
}

// Apply folds a change into the state that it follows. A change that is in the
// state already does nothing, so that a log may begin before its snapshot. The
// error wraps [ErrBadState], and leaves the state half changed.
func (s *State) Apply(c Change) error {
	switch {
	case c.Version != StateVersion:
		return badState("change %d: version %d, not %d: it was written by another release; restore it with that one", c.Seq, c.Version, StateVersion)
	case c.Seq <= s.Seq:
		return nil
	case c.Seq != s.Seq+1:
		return badState("change %d follows change %d: the log lacks some between; restore the snapshot alone, or an older copy of the log", c.Seq, s.Seq)
	}
	for _, a := range c.Accounts {
		if err := s.applyAccount(a); err != nil {
			return err
		}
	}
	for _, o := range c.Open {
		s.Open = put(s.Open, o, func(a, b OrderState) int { return cmp.Compare(a.PermID, b.PermID) })
	}
	for _, id := range c.Ended {
		s.Open = slices.DeleteFunc(s.Open, func(o OrderState) bool { return o.PermID == id })
	}
	for _, e := range c.Executions {
		switch {
		case e.Index < 0 || e.Index > len(s.Executions):
			return badState("change %d: execution %.40q has place %d of %d: the log does not belong to the snapshot", c.Seq, e.ExecID, e.Index, len(s.Executions))
		case e.Index == len(s.Executions):
			s.Executions = append(s.Executions, e.ExecutionState)
		default:
			s.Executions[e.Index] = e.ExecutionState
		}
	}
	s.Replaced = append(s.Replaced, c.Replaced...)
	for _, m := range c.Markets {
		s.Markets = put(s.Markets, m, func(a, b MarketState) int { return cmp.Compare(a.Symbol, b.Symbol) })
	}
	s.Counters, s.Seq = c.Counters, c.Seq
	return nil
}

func (s *State) applyAccount(c AccountState) error {
	i := slices.IndexFunc(s.Accounts, func(a AccountState) bool { return a.Account == c.Account })
	if i < 0 {
		return badState("change of account %.20q, which the snapshot does not know: the log does not belong to it", c.Account)
	}
	positions := s.Accounts[i].Positions
	for _, p := range c.Positions {
		positions = put(positions, p, func(a, b PositionState) int { return cmp.Compare(a.Symbol, b.Symbol) })
	}
	c.Positions = positions
	s.Accounts[i] = c
	return nil
}

// put replaces the element of a sorted list that is equal to e, or inserts it.
func put[E any](list []E, e E, by func(a, b E) int) []E {
	i, found := slices.BinarySearchFunc(list, e, by)
	if found {
		list[i] = e
		return list
	}
	return slices.Insert(list, i, e)
}
