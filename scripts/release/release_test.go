package main

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	patience = 20 * time.Second
	version  = "v9.8.7"
)

// root returns the project's folder.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// ready skips the test where a release cannot be built; CI is told to fail.
func ready(t *testing.T, dir string) {
	t.Helper()
	lack := ""
	if _, err := exec.LookPath("git"); err != nil {
		lack = "no git"
	} else if out, err := exec.Command("git", "-C", dir, "rev-parse", "HEAD").CombinedOutput(); err != nil {
		lack = "no commit to build: " + string(out)
	} else if _, err := os.Stat(filepath.Join(dir, "websocket/web/dist/index.html")); err != nil {
		lack = "the dashboard is not built (scripts/web.sh)"
	}
	switch {
	case lack == "":
	case os.Getenv("REQUIRE_BROWSER") != "":
		t.Fatal("a release cannot be built here: " + lack)
	default:
		t.Skip("a release cannot be built here: " + lack)
	}
}

// release runs the script in dir.
func release(t *testing.T, dir string, env []string, args ...string) {
	t.Helper()
	args = append([]string{"--pages-as-built", "--version", version, "--platform", runtime.GOOS + "/" + runtime.GOARCH}, args...)
	c := exec.Command(filepath.Join(dir, "scripts", "release.sh"), args...)
	c.Env = append(os.Environ(), env...)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("release.sh %q: %v\n%s", args, err, out)
	}
}

// TestRelease builds a release for this machine and looks at all that is in it,
// then builds the service again in another folder: the same bytes.
func TestRelease(t *testing.T) {
	dir := root(t)
	ready(t, dir)
	out := t.TempDir()
	release(t, dir, nil, "--out", out)
	tail := version + "_" + runtime.GOOS + "_" + runtime.GOARCH
	program := filepath.Join(out, "start_trader_"+tail)

	t.Run("checksums", func(t *testing.T) { checkSums(t, out) })
	t.Run("static", func(t *testing.T) { checkStatic(t, program) })
	t.Run("stamp", func(t *testing.T) { checkStamp(t, dir, program) })
	t.Run("dashboard", func(t *testing.T) { checkDashboard(t, program) })
	t.Run("components", func(t *testing.T) { checkComponents(t, filepath.Join(out, "robotrader_"+tail+".cdx.json")) })
	if runtime.GOOS == "linux" {
		t.Run("image", func(t *testing.T) { checkImage(t, filepath.Join(out, "robotrader_"+tail+".image.tar")) })
	}
	t.Run("again", func(t *testing.T) {
		again := t.TempDir()
		other, env := copyOf(t, dir)
		release(t, other, env, "--out", again, "--only-service")
		a, b := sum(t, program), sum(t, filepath.Join(again, "start_trader_"+tail))
		if a != b {
			t.Errorf("built twice, in two folders: %s and %s", a, b)
		}
	})
}

func sum(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func checkSums(t *testing.T, out string) {
	b, err := os.ReadFile(filepath.Join(out, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	named := []string{"SHA256SUMS"}
	for line := range strings.Lines(string(b)) {
		want, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok || sum(t, filepath.Join(out, name)) != want {
			t.Errorf("checksum line %q", line)
		}
		named = append(named, name)
	}
	entries, err := os.ReadDir(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains(named, e.Name()) {
			t.Errorf("%s has no checksum", e.Name())
		}
	}
}

func checkStatic(t *testing.T, program string) {
	if runtime.GOOS != "linux" {
		t.Skip("the form of a program is looked at on Linux alone")
	}
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("not static: it has a %v", p.Type)
		}
	}
	b, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, []byte(root(t)+"/")) {
		t.Errorf("it names the folder that it was built in")
	}
}

func checkStamp(t *testing.T, dir, program string) {
	git := func(args ...string) string {
		c := exec.Command("git", append([]string{"-C", dir}, args...)...)
		c.Env = append(os.Environ(), "TZ=UTC0")
		out, err := c.Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	said, err := exec.Command(program, "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	want := "start_trader " + version + ", commit " + git("rev-parse", "HEAD") + ", built " +
		git("log", "-1", "--date=format-local:%Y-%m-%dT%H:%M:%SZ", "--format=%cd") + ", " + runtime.Version()
	if !strings.HasPrefix(string(said), want) {
		t.Errorf("it says %q, want %q", said, want)
	}
}

// client keeps no connection.
var client = &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}

// serve runs a trader of the simulator and returns its address. It ends with
// the test.
func serve(t *testing.T, c *exec.Cmd, data string) (addr string) {
	t.Helper()
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM) // it may have ended
		if err := c.Wait(); err != nil || t.Failed() {
			t.Errorf("the trader ended with %v and said:\n%s", err, said.String())
		}
	})
	var place struct{ HTTP string }
	deadline, tick := time.After(patience), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for place.HTTP == "" {
		select {
		case <-deadline:
			t.Fatal("the trader does not serve")
		case <-tick.C:
			if b, err := os.ReadFile(filepath.Join(data, "trader.json")); err == nil {
				_ = json.Unmarshal(b, &place) // not there yet, or whole
			}
		}
	}
	return place.HTTP
}

func get(t *testing.T, url string) string {
	t.Helper()
	res, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("%s: %s, %v", url, res.Status, err)
	}
	return string(b)
}

// Only the binary, in an empty folder: the dashboard is in it.
func checkDashboard(t *testing.T, program string) {
	data := filepath.Join(t.TempDir(), "data")
	c := exec.Command(program, "AAPL", "--http", "127.0.0.1:0", "--data", data, "--run-for", "1m")
	c.Dir = t.TempDir()
	addr := serve(t, c, data)
	page := get(t, "http://"+addr+"/")
	_, rest, ok := strings.Cut(page, `src="/assets/`)
	if !ok {
		t.Fatalf("no dashboard: %.300s", page)
	}
	script, _, _ := strings.Cut(rest, `"`)
	if code := get(t, "http://"+addr+"/assets/"+script); len(code) < 50_000 {
		t.Errorf("the dashboard's script has %d bytes", len(code))
	}
	if !strings.Contains(get(t, "http://"+addr+"/api/state"), `"version":"`+version+`"`) {
		t.Error("the state does not tell the version")
	}
}

func checkComponents(t *testing.T, path string) {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		BomFormat string
		Metadata  struct {
			Component struct {
				Version  string
				Licenses []struct{ License struct{ ID string } }
			}
		}
		Components []struct {
			Name, Version, Purl, Scope string
			Licenses                   []struct {
				License    struct{ ID string }
				Expression string
			}
			Hashes []struct{ Alg, Content string }
		}
	}
	if err := json.Unmarshal(b, &list); err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, c := range list.Components {
		seen[c.Name] = c.Scope
		if c.Version == "" || c.Purl == "" {
			t.Errorf("%s has no version or no purl", c.Name)
		}
		if c.Scope == "required" && (len(c.Licenses) == 0 || c.Licenses[0].License.ID+c.Licenses[0].Expression == "") {
			t.Errorf("%s %s is delivered, and its licence is not in the list", c.Name, c.Version)
		}
		if len(c.Hashes) == 0 && c.Name != "std" { // Go's own library comes with the toolchain, which names its version
			t.Errorf("%s %s has no hash", c.Name, c.Version)
		}
	}
	if list.BomFormat != "CycloneDX" || list.Metadata.Component.Version != version {
		t.Errorf("%s of version %q", list.BomFormat, list.Metadata.Component.Version)
	}
	if l := list.Metadata.Component.Licenses; len(l) != 1 || l[0].License.ID != "MIT" {
		t.Errorf("the project's own licence is %v in the list", l)
	}
	for name, scope := range map[string]string{
		"github.com/nats-io/nats-server/v2": "required", "std": "required", "svelte": "required", "fancy-canvas": "required", "vite": "excluded",
	} {
		if got, ok := seen[name]; !ok || got != scope {
			t.Errorf("%s is %q in the list, want %q", name, got, scope)
		}
	}
}

// copyOf copies the project's files, and the dashboard as it is built, to
// another folder. The environment lets git see the same commit from there.
func copyOf(t *testing.T, dir string) (other string, env []string) {
	t.Helper()
	other = filepath.Join(t.TempDir(), "elsewhere")
	list, err := exec.Command("git", "-C", dir, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatal(err)
	}
	git, err := exec.Command("git", "-C", dir, "rev-parse", "--absolute-git-dir").Output()
	if err != nil {
		t.Fatal(err)
	}
	names := strings.Split(strings.Trim(string(list), "\x00"), "\x00")
	pages, err := filepath.Glob(filepath.Join(dir, "websocket/web/dist/*"))
	if err != nil {
		t.Fatal(err)
	}
	assets, err := filepath.Glob(filepath.Join(dir, "websocket/web/dist/assets/*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range append(pages, assets...) {
		name, err := filepath.Rel(dir, p)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	for _, name := range names {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.IsDir() {
			continue // deleted and not committed yet, or a folder
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		to := filepath.Join(other, name)
		if err = errors.Join(err, os.MkdirAll(filepath.Dir(to), 0o755)); err == nil {
			err = os.WriteFile(to, b, info.Mode().Perm())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return other, []string{"GIT_DIR=" + strings.TrimSpace(string(git)), "GIT_WORK_TREE=" + other, "GIT_OPTIONAL_LOCKS=0"}
}

// The packing itself: the same inputs give the same bytes whatever the machine's
// clock, order and modes are.
func TestPackingIsReproducible(t *testing.T) {
	t.Chdir(root(t))
	at, err := epoch("1795949118")
	if err != nil {
		t.Fatal(err)
	}
	var sums []string
	for i := range 2 {
		from, out := t.TempDir(), t.TempDir()
		dir := filepath.Join(from, "linux_arm64")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, name := range append(slices.Clone(programs), "modules.json") {
			b := []byte(`{"metadata":{"component":{"name":"robotrader"},"tools":[{"name":"t","hashes":[` + strconv.Itoa(i) + `]}]},"components":[]}`)
			if name != "modules.json" {
				b = []byte(name)
			}
			if err := os.WriteFile(filepath.Join(dir, name), b, os.FileMode(0o700+i*0o055)); err != nil {
				t.Fatal(err)
			}
		}
		p := packing{from: from, out: out, version: version, at: at}
		if err := p.all([]string{"linux/arm64"}); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(out, "SHA256SUMS"))
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, string(b))
	}
	if sums[0] != sums[1] || strings.Count(sums[0], "\n") != 4 {
		t.Errorf("packed twice:\n%s\n%s", sums[0], sums[1])
	}
}

// A recipe that says more than is understood is refused: leaving it out would
// make another image than an engine makes.
func TestRecipeRefusesWhatItDoesNotKnow(t *testing.T) {
	for text, want := range map[string]string{
		"FROM debian\n":                                           "is not scratch",
		"FROM scratch\nRUN true\n":                                "RUN: not among",
		"FROM scratch\nCOPY a b c\n":                              "is not one file",
		"FROM scratch\nCOPY --chown=a:b x /x\n":                   "not one number",
		"FROM scratch\nHEALTHCHECK --start-interval=1s CMD []\n":  "not understood",
		"FROM scratch\nHEALTHCHECK NONE\n":                        "no CMD",
		"FROM scratch\nENTRYPOINT /start_trader\n":                "invalid character",
		"FROM scratch\nCOPY start_trader /start_trader\n# none\n": "runs nothing",
	} {
		path := filepath.Join(t.TempDir(), "Containerfile")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readRecipe(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want one that says %q", text, err, want)
		}
	}
}
