package exchange

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"robotrader/broker/market"
	"robotrader/broker/order"
)

// The bounds of families and groups. An order beyond them is rejected with
// [Full].
const (
	MaxChildren = 100 // open children of one order
	MaxGroup    = 100 // open orders of one OCA group
	maxName     = 64  // bytes of a group's name
)

// ocaKey is a group of an account.
type ocaKey struct{ account, name string }

func (o *resting) group() ocaKey { return ocaKey{o.Account, o.OCAGroup} }

// adopt gives a child the group of its siblings, where it has none and is to
// undo what its parent does.
func (x *Exchange) adopt(o *resting) {
	parent := x.open[o.Parent]
	if parent != nil && o.OCAGroup == "" && o.Side != parent.Side {
		o.OCAGroup, o.OCAType = strconv.FormatInt(o.Parent, 10), ReduceOpen
	}
	if o.OCAGroup != "" && o.OCAType == 0 {
		o.OCAType = ReduceOpen
	}
}

// refuseFamily judges the parent and the group of an order. An order that is
// open already keeps its parent.
func (x *Exchange) refuseFamily(o *resting) (Reason, string) {
	parent := x.open[o.Parent]
	switch {
	case o.Parent == 0 || x.open[o.PermID] != nil:
	case parent == nil:
		return NoParent, fmt.Sprintf("no order with perm id %d is open: give the parent first, not transmitted", o.Parent)
	case parent.Parent != 0:
		return BadOrder, fmt.Sprintf("order %d has a parent itself: attach to that one", o.Parent)
	case parent.Account != o.Account || parent.Symbol != o.Symbol:
		return BadOrder, fmt.Sprintf("parent %d is of %s in %s, not of %s in %s", o.Parent, parent.Symbol, parent.Account, o.Symbol, o.Account)
	case len(x.children[o.Parent]) >= MaxChildren:
		return Full, fmt.Sprintf("order %d has %d children", o.Parent, MaxChildren)
	}
	if o.OCAType < 0 || o.OCAType > ReduceOpen {
		return BadOrder, fmt.Sprintf("OCA type %d is none of 1, 2, 3", o.OCAType)
	}
	if o.OCAGroup == "" {
		return 0, ""
	}
	if len(o.OCAGroup) > maxName {
		return BadOrder, fmt.Sprintf("OCA group %.20q… is longer than %d bytes", o.OCAGroup, maxName)
	}
	return x.refuseGroup(o)
}

// refuseGroup lets nobody join a group that is filling: what it may still fill
// is shared out.
func (x *Exchange) refuseGroup(o *resting) (Reason, string) {
	others, members := 0, x.groups[o.group()]
	joins := !slices.ContainsFunc(members, func(m *resting) bool { return m.PermID == o.PermID })
	for _, m := range members {
		if m.PermID == o.PermID {
			continue
		}
		others++
		if m.OCAType != o.OCAType {
			return BadOrder, fmt.Sprintf("OCA group %q is of type %d, the order of %d", o.OCAGroup, m.OCAType, o.OCAType)
		}
		if joins && m.Filled.Sign() > 0 {
			return BadOrder, fmt.Sprintf("OCA group %q has begun to fill", o.OCAGroup)
		}
	}
	if joins && others >= MaxGroup {
		return Full, fmt.Sprintf("OCA group %q has %d orders", o.OCAGroup, others)
	}
	return 0, ""
}

// join puts an order into its group, by when it came: so that a change, or a
// restart, does not alter in which order a fill tells the others of it.
func (x *Exchange) join(o *resting) {
	if o.OCAGroup != "" {
		list := x.groups[o.group()]
		insert(&list, o, func(a, b *resting) int { return cmp.Compare(a.PermID, b.PermID) })
		x.groups[o.group()] = list
	}
}

func (x *Exchange) leave(o *resting) {
	if o.OCAGroup != "" {
		forget(x.groups, o.group(), o)
	}
}

// shareOut takes from the other orders of a group what an order of it filled,
// before anything else can fill: done of left.
func (x *Exchange) shareOut(now time.Time, o *resting, done, left market.Qty) {
	if o.OCAGroup == "" {
		return
	}
	for _, m := range slices.Clone(x.groups[o.group()]) {
		if m == o || x.open[m.PermID] != m {
			continue
		}
		rest := m.Remaining()
		cut := rest
		if o.OCAType != CancelBlock {
			cut = rest.PartUp(done, left, x.listings[m.Symbol].details.SizeStep)
		}
		if !cut.Less(rest) {
			x.withdraw(now, m, OCA)
			continue
		}
		x.cut(now, m, m.Qty.Sub(cut))
	}
}

// cut makes an order smaller, and with it the children that were to follow all
// of it: what they undo will be no more.
func (x *Exchange) cut(now time.Time, o *resting, qty market.Qty) {
	was := o.Qty
	o.Qty, o.Updated = qty, now
	for _, part := range [...]*market.Qty{&o.MinQty, &o.DisplaySize} {
		if qty.Less(*part) {
			*part = qty
		}
	}
	x.out = append(x.out, Modified{o.Order})
	x.cutChildren(now, o, was)
}

func (x *Exchange) cutChildren(now time.Time, parent *resting, was market.Qty) {
	for _, child := range x.children[parent.PermID] {
		if parent.Qty.Less(child.Qty) && !was.Less(child.Qty) {
			x.cut(now, child, parent.Qty)
		}
	}
}

// release transmits what is held back of the family of root, the parent first.
func (x *Exchange) release(now time.Time, root int64) {
	var family []*resting
	if o := x.open[root]; o != nil {
		family = append(family, o)
	}
	family = slices.DeleteFunc(append(family, x.children[root]...), func(o *resting) bool { return !o.Hold })
	for _, o := range family {
		o.Hold, o.Wait = false, WaitTransmit
	}
	for _, o := range family {
		if x.open[o.PermID] != o || o.Wait != WaitTransmit {
			continue // the parent filled at once, and took it along
		}
		l := x.listings[o.Symbol]
		x.proceed(now, o, l)
		x.warn(now, o, l)
	}
}

// ended tells the children of an order that has ended. They go live when it
// filled; with a part of it only, for no more than that; without a fill they
// end with it.
func (x *Exchange) ended(now time.Time, parent *resting) {
	for _, o := range slices.Clone(x.children[parent.PermID]) {
		switch {
		case x.open[o.PermID] != o:
			continue // a sibling's fill ended it
		case parent.Filled.IsZero():
			x.withdraw(now, o, ParentEnded)
			continue
		case parent.State != order.Filled && parent.Filled.Less(o.Qty):
			x.cut(now, o, parent.Filled)
		}
		x.proceed(now, o, x.listings[o.Symbol])
	}
}
