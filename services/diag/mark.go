package diag

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"
)

const (
	markName = "matrix.json"
	maxBuild = 40  // characters of a build
	maxNote  = 200 // characters of a note
)

// Mark is the gateway build that a person chose to run.
type Mark struct {
	Build string    `json:"gateway_build"`
	Note  string    `json:"note"`
	At    time.Time `json:"at"` // wall time
}

// CheckBuild refuses what cannot be a build.
func CheckBuild(build string) error {
	if build == "" || len(build) > maxBuild || strings.ContainsFunc(build, func(r rune) bool { return r > '~' || r <= ' ' }) {
		return fmt.Errorf("gateway build %.60q is not one word of at most %d characters, such as 10.37.1", build, maxBuild)
	}
	return nil
}

// CheckNote refuses what cannot be a note.
func CheckNote(note string) error {
	if len(note) > maxNote || strings.ContainsFunc(note, unicode.IsControl) {
		return fmt.Errorf("note %.40q is not one line of at most %d characters", note, maxNote)
	}
	return nil
}

// maxMark bounds the file.
const maxMark = 64 << 10

// ReadMark returns the mark of a data folder, nil without one.
func ReadMark(folder string) (*Mark, error) {
	path := filepath.Join(folder, markName)
	b, err := readRegular(path, maxMark)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("diag: mark: %w", err)
	}
	var m struct {
		Marked *Mark `json:"marked"`
	}
	err = json.Unmarshal(b, &m)
	if err == nil && m.Marked != nil {
		err = errors.Join(CheckBuild(m.Marked.Build), CheckNote(m.Marked.Note))
	}
	if err != nil {
		return nil, fmt.Errorf("diag: mark: %s: %w; mark again, or remove the file", path, err)
	}
	return m.Marked, nil
}

// WriteMark marks a build, or with nil takes the mark back. The file is
// replaced as a whole.
func WriteMark(folder string, m *Mark) (err error) {
	if m != nil {
		if err := CheckBuild(m.Build); err != nil {
			return err
		}
		if err := CheckNote(m.Note); err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(map[string]*Mark{"marked": m}, "", "  ")
	if err != nil {
		return fmt.Errorf("diag: mark: %w", err)
	}
	path := filepath.Join(folder, markName)
	f, err := os.CreateTemp(folder, "."+markName+"-*")
	if err != nil {
		return fmt.Errorf("diag: mark: %w; name the trader's data folder with --data", err)
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("diag: mark: %w", err), os.Remove(f.Name()))
	}
	return nil
}

// MarkWarning says that the build that runs is not the one that is marked, ""
// when it is, or when one of them is not told.
func MarkWarning(folder, running string) string {
	m, err := ReadMark(folder)
	if err != nil {
		return err.Error()
	}
	return differs(m, running)
}

func differs(m *Mark, running string) string {
	if m == nil || running == "" || m.Build == running {
		return ""
	}
	note := ""
	if m.Note != "" {
		note = " (" + m.Note + ")"
	}
	return fmt.Sprintf("gateway %s runs, and %s is marked as the one to run%s", running, m.Build, note)
}
