//go:build unix

package diag

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// put writes files of a data folder.
func put(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func lineOf(t *testing.T, p Probe) string {
	t.Helper()
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(b) + "\n"
}

// What a crash, a full disk or a stranger leaves in the records is counted, and
// what is behind it is read.
func TestRecordsAmongGarbage(t *testing.T) {
	good := lineOf(t, Probe{Result: Ready, GatewayBuild: "10.37"})
	for name, tt := range map[string]struct {
		text         string
		good, broken int
	}{
		"a hole of NULs":      {good + strings.Repeat("\x00", logLimit/2) + "\n" + good, 2, 1},
		"nothing but NULs":    {strings.Repeat("\x00", 3*logLimit), 0, 1},
		"half a line":         {good + good[:40], 1, 1},
		"a terminal's orders": {lineOf(t, Probe{Result: Ready, GatewayBuild: "\x1b[2J"}) + good, 1, 1},
		"no such rung":        {lineOf(t, Probe{Result: Failed, FailedAt: "\x1b[2J"}) + good, 1, 1},
	} {
		dir := put(t, map[string]string{logName: tt.text})
		list, broken, err := Records(dir)
		if err != nil || len(list) != tt.good || broken != tt.broken {
			t.Errorf("%s: %d records, %d broken, %v", name, len(list), broken, err)
		}
		if _, err := MatrixOf(dir, ""); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A record behind half a line is not lost with it.
func TestAppendBehindHalfALine(t *testing.T) {
	dir := put(t, map[string]string{logName: `{"result":"rea`})
	p := Probe{Result: Ready}
	if err := errors.Join(p.Append(dir), p.Append(dir)); err != nil {
		t.Fatal(err)
	}
	if list, broken, err := Records(dir); err != nil || len(list) != 2 || broken != 1 {
		t.Errorf("%d records, %d broken, %v", len(list), broken, err)
	}
}

func TestMarkOfGarbage(t *testing.T) {
	for _, text := range []string{
		"", "\x00", "[]", `{"marked":{"gateway_build":"\u001b[2J"}}`, `{"marked":{"gateway_build":"10.37","note":"a\nb"}}`,
		`{"marked":{}}`, strings.Repeat(" ", 2*maxMark),
	} {
		dir := put(t, map[string]string{markName: text})
		if m, err := ReadMark(dir); err == nil || m != nil || !strings.Contains(err.Error(), "remove") {
			t.Errorf("%.40q: %+v, %v", text, m, err)
		}
		if err := WriteMark(dir, &Mark{Build: "10.37"}); err != nil {
			t.Errorf("marking again over %.40q: %v", text, err)
		}
	}
}

// To open a pipe waits for its other end, for ever.
func TestPipesAreNotOpened(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{logName, markName, "trader.json"} {
		if err := syscall.Mkfifo(filepath.Join(dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err := Records(dir)
	_, markErr := ReadMark(dir)
	_, placeErr := Announced(dir)
	copyErr := copyFile(io.Discard, filepath.Join(dir, logName))
	for _, err := range []error{err, markErr, placeErr, copyErr} {
		if err == nil || !strings.Contains(err.Error(), "no regular file") {
			t.Error(err)
		}
	}
}

// A link in the data folder takes nothing from elsewhere into a bundle.
func TestBundleFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "id_ed25519")
	if err := errors.Join(os.WriteFile(outside, []byte("elsewhere\n"), 0o600), os.Symlink(outside, filepath.Join(dir, logName))); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	b := Bundle{Items: append(RecordItems(dir, ""), FileItem("f.txt", "a file", filepath.Join(dir, logName)))}
	if _, err := b.Write(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	if files, all := unpack(t, out.Bytes()); strings.Contains(all, "elsewhere") || files["f.txt"] != "" {
		t.Error("what the link names is in it")
	}
}

// An account that some part names masked already does not cost that part.
func TestBundleOfWhatIsMaskedAlready(t *testing.T) {
	const text = `{"account":"DU*****21"}`
	var out bytes.Buffer
	if _, err := (Bundle{Mask: masker, Items: []Item{textItem("a.json", text)}}).Write(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	if files, _ := unpack(t, out.Bytes()); files["a.json"] != text {
		t.Errorf("%q", files["a.json"])
	}
}

// full is a disk without room.
type full struct{ told int }

func (f *full) Write([]byte) (int, error) { f.told++; return 0, syscall.ENOSPC }

// A full disk is told once.
func TestBundleOnAFullDisk(t *testing.T) {
	_, err := (Bundle{Items: []Item{textItem("a", "b")}}).Write(t.Context(), &full{})
	if !errors.Is(err, syscall.ENOSPC) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
}

// A folder in which nothing can be written is told, without writing into it.
func TestFolderThatCannotBeWritten(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("the superuser writes everywhere")
	}
	dir := folder(t)
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Chmod(dir, 0o700) }() // for the test's own cleaning up
	c := run(t.Context(), "data_folder", localWithin, func(ctx context.Context, c *Check) { checkFolder(ctx, c, dir, false) })
	if c.Verdict != VerdictFailed || !strings.Contains(strings.Join(c.Found, "\n"), "nothing can be written") {
		t.Errorf("%+v", c)
	}
}
