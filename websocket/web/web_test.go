package web

import (
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

func TestPages(t *testing.T) {
	placeholder := &fstest.MapFile{Data: []byte("not built")}
	for _, tt := range []struct {
		name  string
		files fstest.MapFS
		built bool
		want  string
	}{
		{"built", fstest.MapFS{"placeholder.html": placeholder, "index.html": {Data: []byte("dashboard")}}, true, "dashboard"},
		{"not built", fstest.MapFS{"placeholder.html": placeholder}, false, "not built"},
	} {
		pages, built := pagesOf(tt.files)
		if built != tt.built {
			t.Errorf("%s: built is %v", tt.name, built)
		}
		w := httptest.NewRecorder() // as the server serves it
		http.FileServerFS(pages).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if w.Code != http.StatusOK || w.Body.String() != tt.want || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%s: / is %d %s %q", tt.name, w.Code, w.Header().Get("Content-Type"), w.Body)
		}
		if _, err := pages.Open("assets/none.js"); err == nil {
			t.Errorf("%s: a missing file opens", tt.name)
		}
	}
}

// What this binary embeds has something to show in any case, and the
// placeholder says how to build the dashboard.
func TestEmbedded(t *testing.T) {
	pages, built := Pages()
	t.Logf("the dashboard is built: %v", built)
	for _, name := range []string{"index.html", "placeholder.html"} {
		f, err := pages.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(f)
		f.Close()
		if err != nil || len(body) == 0 {
			t.Errorf("%s: %d bytes, %v", name, len(body), err)
		}
	}
	raw, err := fs.ReadFile(dist, "dist/placeholder.html")
	if err != nil || !strings.Contains(string(raw), "scripts/web.sh") {
		t.Errorf("the placeholder does not name scripts/web.sh: %v", err)
	}
}

// A lock file that names a registry's host installs from there alone, whatever
// the machine's own npm is told.
func TestLockFileNamesNoRegistry(t *testing.T) {
	raw, err := os.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(raw), "\n") {
		if strings.Contains(line, `"resolved"`) || strings.Contains(line, "registry.") {
			t.Errorf("line %d: %s", i+1, strings.TrimSpace(line))
		}
	}
	if !strings.Contains(string(raw), `"integrity"`) {
		t.Error("the lock file has no hashes")
	}
}
