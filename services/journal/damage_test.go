package journal

import (
	"bytes"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"robotrader/broker"
	"robotrader/broker/order"
	"robotrader/services/journal/chain"
)

// noticed reports whether a damage of the journal is one of the kinds of
// failure that a person is told of.
func noticed(err error) bool {
	return errors.Is(err, ErrCorrupt) || errors.Is(err, ErrLost) || errors.Is(err, ErrTampered)
}

// inMemory is a folder whose files need no disk, where the system has such:
// what is opened some hundred times is not to wait for flushes.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "journal")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	return dir
}

// contents is all that the tables hold.
func contents(t *testing.T, path string) string {
	t.Helper()
	db, err := sql.Open("sqlite", dsn(system{}, path, "rw")+"&immutable=1")
	must(t, err)
	defer db.Close()
	var b strings.Builder
	for i := range tables {
		rows, err := collect(t.Context(), db, scanRow(&tables[i]), tables[i].read("ORDER BY seq"))
		must(t, err)
		fmt.Fprintln(&b, tables[i].name, rows)
	}
	orders, err := collect(t.Context(), db, func(scan func(...any) error) (row [7]any, err error) {
		err = scan(&row[0], &row[1], &row[2], &row[3], &row[4], &row[5], &row[6])
		return row, err
	}, "SELECT seq, key, account, client_id, order_id, final, last FROM orders ORDER BY seq")
	must(t, err)
	fmt.Fprintln(&b, "orders", orders)
	return b.String()
}

// unwatched leaves a test to the run without the race detector, which
// scripts/test.sh makes besides: it opens thousands of files, one after the
// other and in one goroutine, and SQLite in Go is some twenty times slower under
// the detector.
func unwatched(t *testing.T) {
	t.Helper()
	if racing {
		t.Skip("the race detector makes this take minutes; scripts/test.sh runs it in its stage damage, without")
	}
}

// TestEverySingleBitFlipOfARowIsNoticed flips bits of the newest row of every
// table but meta as they lie in the file: of the cell, with its header; a sample
// by the seed, or with -journal.long each. It is noticed, or the flip changed
// nothing that the row holds (unused bits). The table meta holds marks that are
// never believed alone.
func TestEverySingleBitFlipOfARowIsNoticed(t *testing.T) {
	unwatched(t)
	path := file(t)
	lived(t, path)
	whole, err := os.ReadFile(path)
	must(t, err)
	before := contents(t, path)
	w, err := readWitness(path)
	must(t, err)
	bad := filepath.Join(inMemory(t), "bad.db")
	must(t, os.WriteFile(bad, whole, 0o600))
	f, err := os.OpenFile(bad, os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	const seed = 20260402
	dice := rand.New(rand.NewPCG(seed, 1))
	flips, unused := 0, 0
	for _, name := range append(chained(), "account_values", "links", "orders") {
		from, to := cell(t, path, whole, name)
		stride := max((to-from)*8/120, 1)
		if *long {
			stride = 1
		}
		mine := 0
		for bit := from*8 + dice.IntN(stride); bit < to*8; bit += 1 + dice.IntN(2*stride-1) {
			b := []byte{whole[bit/8] ^ 1<<(bit%8)}
			_, err := f.WriteAt(b, int64(bit/8))
			must(t, err)
			mine++
			if _, err := verifyCopy(t.Context(), bad, w); err == nil {
				if contents(t, bad) != before {
					t.Errorf("%s: bit %d of byte %d is not noticed (seed %d)", name, bit%8, bit/8, seed)
				}
				unused++
			}
			_, err = f.WriteAt(whole[bit/8:bit/8+1], int64(bit/8))
			must(t, err)
		}
		if mine < 60 {
			t.Errorf("%s: only %d flips", name, mine)
		}
		flips += mine
	}
	if unused > flips/50 {
		t.Errorf("%d flips, %d of them without effect", flips, unused)
	}
	t.Logf("%d flips, %d of them changed nothing", flips, unused)
}

// chained are the names of the tables with a place in the chain.
func chained() (names []string) {
	for i := range tables {
		if tables[i].chained {
			names = append(names, tables[i].name)
		}
	}
	return names
}

// cell returns where the newest row of a table lies in the file.
func cell(t *testing.T, path string, whole []byte, name string) (from, to int) {
	t.Helper()
	db, err := sql.Open("sqlite", dsn(system{}, path, "rw")+"&immutable=1")
	must(t, err)
	defer db.Close()
	var root int
	must(t, db.QueryRow("SELECT rootpage FROM sqlite_schema WHERE name = ?", name).Scan(&root))
	at := (root - 1) * page
	if whole[at] != 13 {
		t.Fatalf("%s is no single leaf: kind %d", name, whole[at])
	}
	// https://sqlite.org/fileformat2.html#b_tree_pages: the cells' places, by
	// row, from byte 8 on. A cell is its payload's size, the row's number, the
	// payload.
	count := int(binary.BigEndian.Uint16(whole[at+3:]))
	from = at + int(binary.BigEndian.Uint16(whole[at+8+2*(count-1):]))
	size, n := varint(whole[from:])
	_, m := varint(whole[from+n:])
	if to = from + n + m + size; to > at+page {
		t.Fatalf("%s: a row of %d bytes is not on its page alone", name, size)
	}
	return from, to
}

// varint reads a number as SQLite stores it, of up to 4 bytes.
func varint(b []byte) (v, n int) {
	for n < 4 {
		v = v<<7 | int(b[n]&0x7f)
		if n++; b[n-1] < 0x80 {
			break
		}
	}
	return v, n
}

// TestEveryFlipOfAColumnIsNoticed changes every bit of every column of a row
// of each table through SQL, so that SQLite itself finds nothing wrong.
func TestEveryFlipOfAColumnIsNoticed(t *testing.T) {
	unwatched(t)
	path := file(t)
	lived(t, path)
	j := open(t, path)
	must(t, j.Sync(t.Context()))
	<-j.lock
	defer func() { j.lock <- struct{}{} }()
	w, err := readWitness(path)
	must(t, err)
	flips := 0
	for i := range tables {
		tab := &tables[i]
		rows, err := collect(t.Context(), j.write, scanRow(tab), tab.read("ORDER BY seq DESC LIMIT 1"))
		must(t, err)
		names := strings.Split("seq, "+tab.columns+", n, crc, hash", ", ")
		if !tab.chained {
			names = strings.Split("seq, "+tab.columns+", crc", ", ")
		}
		for c, name := range names {
			for k, other := range flipped(rows[0][c]) {
				if _, text := other.(string); text && k%8 != k/8%8 { // of texts through SQL a bit a byte, by the sum alone all
					flips++
					changed := append([]any(nil), rows[0]...)
					changed[c] = other
					sum := 1 + tab.width
					if tab.chained {
						sum++
					}
					if form, err := tab.form(changed[:sum]); err != nil || changed[sum] == chain.Sum(form) {
						t.Errorf("%s.%s: %.60v: the sum is the same, %v", tab.name, name, other, err)
					}
					continue
				}
				_, err := j.write.ExecContext(t.Context(), "BEGIN")
				must(t, err)
				if _, err := j.write.ExecContext(t.Context(), fmt.Sprintf("UPDATE %s SET %s = ? WHERE seq = ?", tab.name, name), other, rows[0][0]); err != nil {
					if primary(err) != codeConstraint { // a seq that is taken: the store itself refuses it
						t.Fatal(err)
					}
					_, err = j.write.ExecContext(t.Context(), "ROLLBACK")
					must(t, err)
					continue
				}
				end, err := ends(t.Context(), j.write)
				if err == nil {
					_, err = check(t.Context(), j.write, end, 1, w)
				}
				if flips++; !noticed(err) {
					t.Errorf("%s.%s: %.60v instead of %.60v: %v", tab.name, name, other, rows[0][c], err)
				}
				_, err = j.write.ExecContext(t.Context(), "ROLLBACK")
				must(t, err)
			}
		}
	}
	if flips < 5000 {
		t.Errorf("only %d flips", flips)
	}
}

// flipped returns a value with each of its bits flipped, and for NULL some
// values.
func flipped(v any) (list []any) {
	switch v := v.(type) {
	case nil:
		return []any{int64(0), "", "0"}
	case int64:
		for bit := range 64 {
			list = append(list, v^1<<bit)
		}
	case string:
		for bit := range len(v) * 8 {
			b := []byte(v)
			b[bit/8] ^= 1 << (bit % 8)
			list = append(list, string(b))
		}
	case []byte:
		for bit := range len(v) * 8 {
			b := bytes.Clone(v)
			b[bit/8] ^= 1 << (bit % 8)
			list = append(list, b)
		}
	}
	return list
}

// A row that is gone, doubled or put elsewhere is noticed, without SQLite's
// help.
func TestEveryMissingRowIsNoticed(t *testing.T) {
	path := file(t)
	lived(t, path)
	j := open(t, path)
	must(t, j.Sync(t.Context()))
	<-j.lock
	defer func() { j.lock <- struct{}{} }()
	w, err := readWitness(path)
	must(t, err)
	for i := range tables {
		if !tables[i].chained {
			continue
		}
		for seq := int64(1); seq <= j.ledger.seq[i]; seq++ {
			for _, change := range []string{"DELETE FROM %s WHERE seq = ?", "UPDATE %s SET seq = seq + 100 WHERE seq = ?"} {
				_, err := j.write.ExecContext(t.Context(), "BEGIN")
				must(t, err)
				_, err = j.write.ExecContext(t.Context(), fmt.Sprintf(change, tables[i].name), seq)
				must(t, err)
				end, err := ends(t.Context(), j.write)
				if err == nil {
					_, err = check(t.Context(), j.write, end, 1, w)
				}
				if !noticed(err) {
					t.Errorf(change+": %v", tables[i].name, err)
				}
				_, err = j.write.ExecContext(t.Context(), "ROLLBACK")
				must(t, err)
			}
		}
	}
}

// TestEveryTruncationThatLosesAnAcknowledgedRowIsNoticed cuts the file and its
// log: at every page and frame, one byte beside these, and every 4001 bytes
// between; with -journal.long at every byte. Either it is noticed, or all that
// the witness knew is there.
func TestEveryTruncationThatLosesAnAcknowledgedRowIsNoticed(t *testing.T) {
	unwatched(t)
	path := file(t)
	j := open(t, path)
	for n := 1; n <= 3; n++ {
		must(t, j.Intend(t.Context(), placed(n)))
		must(t, j.Record(t.Context(), broker.Record{Wall: wall0, Order: became(n, order.Filled)}, broker.Record{Wall: wall0, Fill: execution(n, fmt.Sprint("e", n))}))
		must(t, j.Sync(t.Context()))
	}
	_, err := j.check.ExecContext(t.Context(), "PRAGMA wal_checkpoint(PASSIVE)") // so that rows are in both
	must(t, err)
	for n := 4; n <= 6; n++ {
		must(t, j.Intend(t.Context(), placed(n)))
	}
	must(t, j.Sync(t.Context()))
	must(t, j.testify())
	w, err := readWitness(path)
	must(t, err)
	db, err := os.ReadFile(path)
	must(t, err)
	wal, err := os.ReadFile(path + "-wal")
	must(t, err)
	seal, err := os.ReadFile(witnessPath(path))
	must(t, err)
	copied := filepath.Join(inMemory(t), "journal.db")
	try := func(db, wal []byte, what string) (lost bool) {
		t.Helper()
		_ = os.Remove(copied + "-shm")
		must(t, os.WriteFile(copied, db, 0o600))
		must(t, os.WriteFile(copied+"-wal", wal, 0o600))
		must(t, os.WriteFile(witnessPath(copied), seal, 0o600))
		c, err := Open(copied)
		if err != nil {
			if !noticed(err) {
				t.Errorf("%s: %v", what, err)
			}
			return true
		}
		defer shut(t, c)
		<-c.lock
		defer func() { c.lock <- struct{}{} }()
		if c.ledger.Count < w.Count {
			t.Errorf("%s: %d rows of %d, and nothing is said", what, c.ledger.Count, w.Count)
		}
		return false
	}
	if try(db, wal, "whole") {
		t.Fatal("the whole journal does not open")
	}
	lost := 0
	for _, at := range cuts(len(wal), 32, page+24) {
		if try(db, wal[:at], fmt.Sprint("log cut at ", at)) {
			lost++
		}
	}
	for _, at := range cuts(len(db), 0, page) {
		if try(db[:at], wal, fmt.Sprint("file cut at ", at)) {
			lost++
		}
	}
	if try(db, nil, "no log") {
		lost++
	}
	if lost < 50 {
		t.Errorf("only %d cuts lost something", lost)
	}
	t.Logf("a file of %d bytes and a log of %d: %d cuts lost something and are noticed", len(db), len(wal), lost)
}

// cuts are the places at which a file of a size is cut: around each part's
// end, and some between.
func cuts(size, head, part int) (list []int) {
	for at := range size {
		if d := (at - head) % part; at >= head && (d <= 1 || d == part-1) || at%4001 == 0 || *long {
			list = append(list, at)
		}
	}
	return list
}

// An older copy of the journal in its place, as a careless restore makes it.
func TestAnOlderFileInItsPlaceIsNoticed(t *testing.T) {
	path := file(t)
	lived(t, path)
	old, err := os.ReadFile(path)
	must(t, err)
	j := open(t, path)
	must(t, j.Intend(t.Context(), placed(8)))
	shut(t, j)
	must(t, os.WriteFile(path, old, 0o600))
	if _, err := Open(path); !errors.Is(err, ErrLost) || !strings.Contains(err.Error(), "traderctl restore") {
		t.Errorf("an older file: %v", err)
	}
	other := file(t)
	lived(t, other)
	k := open(t, other)
	for n := 11; n < 15; n++ {
		must(t, k.Intend(t.Context(), placed(n)))
	}
	shut(t, k)
	b, err := os.ReadFile(other)
	must(t, err)
	must(t, os.WriteFile(path, b, 0o600))
	if _, err := Open(path); !errors.Is(err, ErrTampered) {
		t.Errorf("another journal: %v", err)
	}
	must(t, os.Remove(witnessPath(path)))
	if _, err := Open(path); !errors.Is(err, ErrTampered) {
		t.Errorf("without its witness: %v", err)
	}
}
