package fault

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every example is understood, and says what a person should see.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../../../../configs/faults/*.faults")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	for _, f := range files {
		s, err := Load(f)
		if err != nil {
			t.Error(err)
			continue
		}
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Rules) == 0 || !strings.Contains(string(text), "What a person should see") {
			t.Errorf("%s: %d rules, and does it say what a person should see?", f, len(s.Rules))
		}
	}
}
