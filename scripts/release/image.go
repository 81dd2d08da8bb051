package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// recipePath is where the image is described.
const recipePath = "scripts/deploy/Containerfile"

// image writes an archive that docker load and podman load take. The build
// context is what an unpacked archive of the release has: the programs of
// folder, and scripts/deploy.
func (p packing) image(folder, arch, to string) error {
	r, err := readRecipe(recipePath)
	if err != nil {
		return err
	}
	content, err := p.layer(r, folder)
	if err != nil {
		return err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	})
	if err != nil {
		return err
	}
	if err := fits(arch, int64(len(content)), layer.Size); err != nil {
		return err
	}
	img, err := mutate.Append(empty.Image, mutate.Addendum{
		Layer:   layer,
		History: v1.History{Created: v1.Time{Time: p.at}, CreatedBy: recipePath},
	})
	if err != nil {
		return err
	}
	cfg, err := img.ConfigFile()
	if err != nil {
		return err
	}
	cfg = cfg.DeepCopy()
	cfg.OS, cfg.Architecture, cfg.Created, cfg.Config = "linux", arch, v1.Time{Time: p.at}, r.config
	cfg.Config.Labels = map[string]string{
		"org.opencontainers.image.title":    "robotrader",
		"org.opencontainers.image.version":  p.version,
		"org.opencontainers.image.licenses": "MIT",
	}
	if img, err = mutate.ConfigFile(img, cfg); err != nil {
		return err
	}
	tag, err := name.NewTag("robotrader:" + imageTag(p.version))
	if err != nil {
		return err
	}
	return tarball.WriteToFile(to, tag, img)
}

// mostImage bounds what an image takes on the disk, in bytes.
const mostImage = 40 << 20

// fits prints an image's size beside its limit, and refuses one that is larger.
func fits(arch string, size int64, packed func() (int64, error)) error {
	small, err := packed()
	if err != nil {
		return err
	}
	mib := func(n int64) float64 { return float64(n) / (1 << 20) }
	fmt.Printf("release: image linux/%s: %.1f MiB, packed %.1f MiB; limit %d MiB\n", arch, mib(size), mib(small), mostImage>>20)
	if size > mostImage {
		return fmt.Errorf("the image has %d bytes, more than %d: something large was added to start_trader", size, mostImage)
	}
	return nil
}

// imageTag is the version as a tag, which may hold no plus.
func imageTag(version string) string {
	return string(bytes.ReplaceAll([]byte(version), []byte("+"), []byte("-")))
}

// layer returns the image's only layer as a tar.
func (p packing) layer(r recipe, folder string) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, c := range r.copies {
		source := filepath.Join("scripts", "deploy", c.from)
		if _, err := os.Stat(filepath.Join(folder, c.from)); err == nil {
			source = filepath.Join(folder, c.from)
		}
		if err := p.copyTree(w, source, c); err != nil {
			return nil, fmt.Errorf("copy %s: %w", c.from, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// copyTree adds a file, or a folder with all that is in it, in the order of the
// names.
func (p packing) copyTree(w *tar.Writer, source string, c copied) error {
	return filepath.WalkDir(source, func(at string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(source, at)
		if err != nil {
			return err
		}
		to := path.Join(c.to, filepath.ToSlash(below))
		if d.IsDir() {
			return p.add(w, to+"/", nil, 0o700, c.owner) // the trader lets nobody else into its folder
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		b, err := os.ReadFile(at)
		if err != nil {
			return err
		}
		return p.add(w, to, b, tidy(info.Mode()), c.owner)
	})
}
