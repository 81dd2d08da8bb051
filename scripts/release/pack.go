package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// packing makes one release. Paths of the project are below the working folder,
// which is the root.
type packing struct {
	from, out, version string
	at                 time.Time
}

// programs are in every archive, in this order.
var programs = []string{"gatewaysim", "start_trader", "traderctl"}

// extras are files of the project that go into an archive: source to name.
// What install.sh needs lies beside it.
var extras = map[string]string{
	"LICENSE": "LICENSE", "README.md": "README.md",
	"configs/sim.yaml": "configs/sim.yaml", "configs/paper.yaml": "configs/paper.yaml", "configs/live.yaml": "configs/live.yaml",
	"scripts/deploy/install.sh": "install.sh", "scripts/deploy/uninstall.sh": "uninstall.sh",
	"scripts/deploy/robotrader.service": "robotrader.service", "scripts/deploy/.env.example": ".env.example",
	"scripts/deploy/Containerfile": "Containerfile", "scripts/deploy/compose.yaml": "compose.yaml",
	"scripts/deploy/rootfs/data/README":     "rootfs/data/README",
	"scripts/deploy/prometheus/alerts.yaml": "prometheus/alerts.yaml", "scripts/deploy/prometheus/prometheus.yaml": "prometheus/prometheus.yaml",
	"scripts/deploy/grafana/robotrader.json": "grafana/robotrader.json",
}

// all packs every platform and writes the checksums.
func (p packing) all(platforms []string) error {
	if err := os.MkdirAll(p.out, 0o755); err != nil {
		return err
	}
	var made []string
	for _, platform := range platforms {
		names, err := p.one(platform)
		if err != nil {
			return fmt.Errorf("%s: %w", platform, err)
		}
		made = append(made, names...)
	}
	slices.Sort(made)
	var sums strings.Builder
	for _, name := range made {
		b, err := os.ReadFile(filepath.Join(p.out, name))
		if err != nil {
			return err
		}
		sum := sha256.Sum256(b)
		fmt.Fprintf(&sums, "%s  %s\n", hex.EncodeToString(sum[:]), name)
	}
	return os.WriteFile(filepath.Join(p.out, "SHA256SUMS"), []byte(sums.String()), 0o644)
}

// one packs a platform and returns the names of the files.
func (p packing) one(platform string) ([]string, error) {
	system, arch, ok := strings.Cut(platform, "/")
	if !ok {
		return nil, fmt.Errorf("not OS/ARCH, such as linux/amd64")
	}
	tail := p.version + "_" + system + "_" + arch
	folder := filepath.Join(p.from, system+"_"+arch)
	program, err := os.ReadFile(filepath.Join(folder, "start_trader"))
	if err != nil {
		return nil, err
	}
	parts, err := p.components(filepath.Join(folder, "modules.json"))
	if err != nil {
		return nil, fmt.Errorf("list of components: %w", err)
	}
	archive, err := p.archive(folder, "robotrader_"+tail)
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	files := map[string][]byte{
		"start_trader_" + tail:             program,
		"robotrader_" + tail + ".tar.gz":   archive,
		"robotrader_" + tail + ".cdx.json": parts,
	}
	var names []string
	for name, b := range files {
		mode := fs.FileMode(0o644)
		if strings.HasPrefix(name, "start_trader_") {
			mode = 0o755
		}
		if err := os.WriteFile(filepath.Join(p.out, name), b, mode); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	if system == "linux" {
		name := "robotrader_" + tail + ".image.tar"
		if err := p.image(folder, arch, filepath.Join(p.out, name)); err != nil {
			return nil, fmt.Errorf("image: %w", err)
		}
		names = append(names, name)
	}
	return names, nil
}

// archive returns programs and extras below one folder, as tar.gz.
func (p packing) archive(folder, top string) ([]byte, error) {
	files := map[string]string{} // name in the archive to source
	for _, name := range programs {
		files[name] = filepath.Join(folder, name)
	}
	for source, name := range extras {
		files[name] = filepath.FromSlash(source)
	}
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		info, err := os.Stat(files[name])
		if err != nil {
			return nil, err
		}
		b, err := os.ReadFile(files[name])
		if err != nil {
			return nil, err
		}
		if err := p.add(w, top+"/"+name, b, tidy(info.Mode()), 0); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// tidy leaves of a mode what a checkout keeps: whether it can be executed.
func tidy(m fs.FileMode) fs.FileMode {
	if m&0o100 != 0 {
		return 0o755
	}
	return 0o644
}

// add writes one file with the release's time. A name with a slash at its end
// is a folder.
func (p packing) add(w *tar.Writer, name string, b []byte, mode fs.FileMode, owner int) error {
	h := &tar.Header{
		Name: name, Mode: int64(mode.Perm()), Size: int64(len(b)), ModTime: p.at,
		Uid: owner, Gid: owner, Typeflag: tar.TypeReg, Format: tar.FormatPAX,
	}
	if strings.HasSuffix(name, "/") {
		h.Typeflag, h.Size = tar.TypeDir, 0
	}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err := w.Write(b)
	return err
}
