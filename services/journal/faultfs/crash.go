package faultfs

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// A Loss is what becomes of what was not flushed when the power went.
type Loss int

// The losses.
const (
	Drop    Loss = iota // all of it is lost
	Keep                // nothing is lost, as when the program alone was killed
	Order               // what came first is there, to a byte in the middle of a write
	Sector              // each 512 bytes are there or not
	Page                // each 4,096 bytes are there or not
	Garbage             // as Sector, and what is not there within the file's new length holds rubbish
	Losses              // how many losses there are
)

var losses = [Losses]string{"drop", "keep", "order", "sector", "page", "garbage"}

func (l Loss) String() string { return losses[l] }

// Lie says whether a flush of a file was only pretended by the disk; event is
// its number. Nil is an honest disk.
type Lie func(event int, name string) bool

// Crash returns what the folder may hold after the power went during the event
// with the number at, all before it being done. A loss that leaves something
// to chance takes it from the seed alone.
func (d *Disk) Crash(at int, loss Loss, seed uint64, lie Lie) map[string][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	w := &wreck{loss: loss, dice: rand.New(rand.NewPCG(seed, uint64(at))), names: map[string]int{}, files: map[int][]byte{}} //nolint:gosec // a test's dice
	for i, name := range slices.Sorted(maps.Keys(d.base)) {                                                                  // numbered as New did
		w.names[name] = i + 1
		w.files[i+1] = slices.Clone(d.base[name])
	}
	w.done = d.ops[:at]
	if at < len(d.ops) && !d.ops[at].flushes() {
		w.done = d.ops[:at+1] // it is under way
	}
	w.flush(lie)
	w.renamed()
	w.written()
	image := map[string][]byte{}
	for name, file := range w.names {
		image[name] = w.files[file]
	}
	return image
}

// wreck is a crash that is being worked out.
type wreck struct {
	loss    Loss
	dice    *rand.Rand
	done    []op
	durable []bool // which of them are for certain
	names   map[string]int
	files   map[int][]byte
}

func (o op) flushes() bool { return o.kind == flushed || o.kind == unflushed || o.kind == named }

// names reports whether the event is one of the folder.
func (o op) names() bool { return o.kind == made || o.kind == renamed || o.kind == removed }

// flush finds out which events are durable.
func (w *wreck) flush(lie Lie) {
	w.durable = make([]bool, len(w.done))
	doubt := make([]bool, len(w.done)) // a flush of them failed
	for i, o := range w.done {
		if lie != nil && o.kind == flushed && lie(i, o.name) {
			continue
		}
		for k, before := range w.done[:i] {
			mine := before.file == o.file && !before.names() && !before.flushes()
			switch {
			case o.kind == unflushed && mine && !w.durable[k]:
				doubt[k] = true
			case o.kind == flushed && mine && !doubt[k], o.kind == named && before.names():
				w.durable[k] = true
			}
		}
	}
}

// chance is how many of n events in order happened.
func (w *wreck) chance(n int) int {
	switch w.loss {
	case Drop:
		return 0
	case Keep:
		return n
	default:
		return w.dice.IntN(n + 1)
	}
}

// open lists the events of a sort that are not durable.
func (w *wreck) open(sort func(op) bool) (list []int) {
	for i, o := range w.done {
		if sort(o) && !w.durable[i] {
			list = append(list, i)
		}
	}
	return list
}

// renamed gives the files their names.
func (w *wreck) renamed() {
	open := w.open(op.names)
	for _, i := range open[:w.chance(len(open))] {
		w.durable[i] = true
	}
	for i, o := range w.done {
		if !w.durable[i] {
			continue
		}
		switch o.kind {
		case made:
			w.names[o.name] = o.file
		case renamed:
			w.names[o.other] = w.names[o.name]
			delete(w.names, o.name)
		case removed:
			delete(w.names, o.name)
		default:
		}
	}
}

// written gives the files their bytes.
func (w *wreck) written() {
	data := func(o op) bool { return o.kind == wrote || o.kind == cut }
	if w.loss == Order || w.loss == Drop || w.loss == Keep {
		open := w.open(data)
		n := w.chance(len(open))
		for _, i := range open[:n] {
			w.durable[i] = true
		}
		for k, i := range open[n:] {
			if part := w.done[i]; k == 0 && part.kind == wrote && w.loss == Order { // the one that the power interrupted
				w.put(part.file, part.off, part.data[:w.dice.IntN(len(part.data)+1)])
			}
		}
	}
	for i, o := range w.done {
		switch {
		case !data(o):
		case o.kind == wrote && w.durable[i]:
			w.put(o.file, o.off, o.data)
		case o.kind == cut && (w.durable[i] || w.loss >= Sector && w.dice.IntN(2) == 0):
			w.resize(o.file, int(o.off))
		case o.kind == wrote && w.loss >= Sector:
			w.tear(o)
		}
	}
}

// tear writes some parts of what was to be written.
func (w *wreck) tear(o op) {
	size := 512
	if w.loss == Page {
		size = 4096
	}
	for at := 0; at < len(o.data); {
		from := int(o.off) + at
		to := min(at+size-from%size, len(o.data)) // sectors are the disk's, whatever is written
		switch {
		case w.dice.IntN(2) == 0:
			w.put(o.file, o.off+int64(at), o.data[at:to])
		case w.loss == Garbage && from >= len(w.files[o.file]):
			rubbish := make([]byte, to-at)
			for i := range rubbish {
				rubbish[i] = byte(w.dice.Uint32())
			}
			w.put(o.file, o.off+int64(at), rubbish)
		}
		at = to
	}
}

func (w *wreck) put(file int, off int64, data []byte) {
	if end := int(off) + len(data); end > len(w.files[file]) {
		w.resize(file, end)
	}
	copy(w.files[file][off:], data)
}

func (w *wreck) resize(file, size int) {
	b := w.files[file]
	if size > len(b) {
		b = append(b, make([]byte, size-len(b))...)
	}
	w.files[file] = b[:size:size]
}
