package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"robotrader/broker"
	"robotrader/services/journal/chain"
)

// Backup writes a copy of the journal in the file path into the new file to,
// as of one moment, whether or not a trader writes it meanwhile, and verifies
// the copy: it is the whole journal in one file. A file that is there is never
// replaced.
func Backup(ctx context.Context, path, to string) (rep Report, err error) {
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return rep, fmt.Errorf("journal: backup: %s is there already; name a new file", to)
	}
	w, err := readWitness(path)
	if err != nil {
		return rep, failed(path, "backup", err)
	}
	r, err := OpenReadOnly(path)
	if err != nil {
		return rep, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	part := to + ".part"
	_ = os.Remove(part) // of a backup that was cut off
	defer func() {
		if err != nil {
			_ = os.Remove(part)
		}
	}()
	c, err := r.db.Conn(ctx)
	if err != nil {
		return rep, failed(path, "backup", err)
	}
	_, err = c.ExecContext(ctx, "PRAGMA query_only=0") // it would forbid the copy, too
	if err == nil {
		_, err = c.ExecContext(ctx, "VACUUM INTO ?", part)
	}
	if err = errors.Join(err, c.Close()); err != nil {
		return rep, failed(path, "backup", err)
	}
	if err := os.Chmod(part, 0o600); err != nil {
		return rep, fmt.Errorf("journal: backup: %w", err)
	}
	if rep, err = verifyCopy(ctx, part, w); err != nil {
		return rep, err
	}
	if err := flushFile(part); err != nil {
		return rep, fmt.Errorf("journal: backup: %w", ofDisk(err))
	}
	if err := os.Link(part, to); err != nil { // unlike a rename it replaces nothing
		return rep, fmt.Errorf("journal: backup: %w", err)
	}
	return rep, errors.Join(os.Remove(part), syncFolder(system{}, filepath.Dir(to)))
}

// verifyCopy is Verify for a file that nobody writes. It leaves nothing beside
// it.
func verifyCopy(ctx context.Context, path string, w *chain.Witness) (rep Report, err error) {
	r, err := openReader(path, "immutable=1")
	if err != nil {
		return rep, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	rep, err = verify(ctx, r.db, w)
	return rep, failed(path, "verify", err)
}

func flushFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Restore makes a backup the journal in the file path. What is there is put
// into a new folder beside it, which it returns ("" when there was nothing);
// nothing is deleted, and when the backup is not good nothing is touched. No
// trader may run: whoever calls it holds the data folder's lock.
//
// The mode in it is halted: a person compares with the broker, then resumes.
// When it is cut off it can be called again: until the last step the old
// witness stands, so that no trader starts with the half of it.
func Restore(ctx context.Context, backup, path string) (aside string, rep Report, err error) {
	if rep, err = verifyCopy(ctx, backup, nil); err != nil {
		return "", rep, err
	}
	next := path + ".restored"
	if err := removeBeside(next); err != nil { // what a restore left that was cut off
		return "", rep, fmt.Errorf("journal: restore: %w", err)
	}
	if err := copyFile(backup, next); err != nil {
		return "", rep, fmt.Errorf("journal: restore: %w", ofDisk(err))
	}
	if err := haltRestored(ctx, next, filepath.Base(backup)); err != nil {
		return "", rep, fmt.Errorf("journal: restore: halt trading in the copy: %w", err)
	}
	last, err := lastOf(ctx, next)
	if err != nil {
		return "", rep, failed(next, "restore", err)
	}
	if aside, err = putAside(path); err != nil {
		return aside, rep, fmt.Errorf("journal: restore: put the present journal aside: %w", ofDisk(err))
	}
	if err := os.Rename(next, path); err != nil {
		return aside, rep, fmt.Errorf("journal: restore: %w", err)
	}
	last.Note = fmt.Sprintf("restored at %s from %s", time.Now().UTC().Format(time.RFC3339), filepath.Base(backup))
	if err := syncFolder(system{}, filepath.Dir(path)); err != nil {
		return aside, rep, fmt.Errorf("journal: restore: %w", err)
	}
	return aside, rep, writeWitness(system{}, path, last)
}

// haltRestored latches the mode halted in a copy that becomes the journal. A
// backup does not know what was latched after it, nor which orders went out: a
// trader that began active with it would enter again what it has entered, and
// forget that somebody had stopped it.
func haltRestored(ctx context.Context, next, from string) error {
	end, err := lastOf(ctx, next)
	if err != nil {
		return err
	}
	if err := writeWitness(system{}, next, end); err != nil { // without one it counts as cut short
		return err
	}
	j, err := Open(next)
	if err != nil {
		return err
	}
	now := time.Now()
	err = errors.Join(
		j.Record(ctx, broker.Record{Wall: now, Mode: &broker.ModeRecord{
			Mode: broker.Halted, Since: now,
			Reason: restoredFrom + from + ", which knows nothing of what came after it: compare orders, positions and mode with the broker, then resume",
		}}),
		j.Sync(ctx), j.Close(ctx), // which leaves all in the one file
	)
	if err != nil {
		return err
	}
	return errors.Join(removeBeside(next), flushFile(next))
}

// removeBeside removes what a closed journal that moves on has beside it.
func removeBeside(path string) error {
	for _, name := range []string{path + "-wal", path + "-shm", witnessPath(path)} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// lastOf is what a witness of the file would tell.
func lastOf(ctx context.Context, path string) (w chain.Witness, err error) {
	r, err := openReader(path, "immutable=1")
	if err != nil {
		return w, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	c, err := r.db.Conn(ctx)
	if err != nil {
		return w, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	end, err := ends(ctx, c)
	return end.Witness, err
}

// putAside moves the journal's files into a new folder of their own, but for
// the witness, of which it takes a copy.
func putAside(path string) (aside string, err error) {
	for _, name := range []string{path + "-wal", path + "-shm", path} { // without its log a journal is not taken for whole
		if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if aside == "" {
			if aside, err = os.MkdirTemp(filepath.Dir(path), "journal-aside-"+time.Now().UTC().Format("20060102T150405Z")+"-"); err != nil {
				return "", err
			}
		}
		if err := os.Rename(name, filepath.Join(aside, filepath.Base(name))); err != nil {
			return aside, err
		}
	}
	if _, err := os.Lstat(witnessPath(path)); err != nil || aside == "" {
		return aside, nil
	}
	return aside, copyFile(witnessPath(path), filepath.Join(aside, filepath.Base(witnessPath(path))))
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}
