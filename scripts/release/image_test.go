package main

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// checkImage looks at the image as an engine would, and, as root, runs it: its
// files are the whole file system, and nobody special runs it.
func checkImage(t *testing.T, path string) {
	img, err := tarball.ImageFromPath(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Config.User != "65532:65532" || cfg.Architecture != runtime.GOARCH || !slices.Equal(cfg.Config.Entrypoint, []string{"/start_trader"}) {
		t.Errorf("the image's configuration is %+v", cfg.Config)
	}
	if h := cfg.Config.Healthcheck; h == nil || !slices.Equal(h.Test, []string{"CMD", "/start_trader", "--healthcheck"}) || h.Interval != 15*time.Second {
		t.Errorf("health: %+v", h)
	}
	layers, err := img.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	fs := t.TempDir()
	names, size := unpack(t, tar.NewReader(content), fs)
	if want := []string{"data/", "data/README", "start_trader"}; !slices.Equal(names, want) {
		t.Errorf("in the image: %q, want %q", names, want)
	}
	t.Logf("the image has %.1f MB on the disk", float64(size)/1e6)
	if size > mostImage {
		t.Errorf("the image has %d bytes, more than %d", size, mostImage)
	}
	if os.Getuid() != 0 {
		t.Skip("the image is not run: only root may change the root folder")
	}
	inside := func(args ...string) *exec.Cmd {
		c := exec.Command("/start_trader", args...)
		c.Env, c.Dir = cfg.Config.Env, "/data"
		c.SysProcAttr = &syscall.SysProcAttr{Chroot: fs, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
		return c
	}
	if out, err := inside("--healthcheck").CombinedOutput(); err == nil {
		t.Errorf("healthy before it runs: %s", out)
	}
	addr := serve(t, inside("AAPL", "--http", "127.0.0.1:0", "--run-for", "1m"), filepath.Join(fs, "data"))
	if out, err := inside("--healthcheck").CombinedOutput(); err != nil || string(out) != "serving\n" {
		t.Errorf("health: %s, %v", out, err)
	}
	get(t, "http://"+addr+"/")
}

// unpack writes a layer below dir, with its owners where the test may.
func unpack(t *testing.T, r *tar.Reader, dir string) (names []string, size int64) {
	t.Helper()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			slices.Sort(names)
			return names, size
		}
		if err != nil {
			t.Fatal(err)
		}
		names, size = append(names, h.Name), size+h.Size
		to := filepath.Join(dir, h.Name)
		if h.Typeflag == tar.TypeDir {
			err = os.Mkdir(to, os.FileMode(h.Mode))
		} else {
			var b []byte
			if b, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(to, b, os.FileMode(h.Mode))
			}
		}
		if err == nil && os.Getuid() == 0 {
			err = os.Chown(to, h.Uid, h.Gid)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestImageThatIsTooLargeIsRefused(t *testing.T) {
	packed := func() (int64, error) { return 1, nil }
	if err := fits("amd64", mostImage, packed); err != nil {
		t.Error(err)
	}
	if err := fits("amd64", mostImage+1, packed); err == nil || !strings.Contains(err.Error(), "more than 41943040") {
		t.Errorf("one byte too many: %v", err)
	}
}
