// Package web holds the dashboard's built pages inside the binary.
//
// It promises that Pages always has something to show: the dashboard when
// scripts/web.sh has built it, and else a page that says how to build it. It
// does not build anything.
package web

import (
	"embed"
	"io/fs"
)

// dist is what the build leaves; placeholder.html is committed so that the
// package compiles on a fresh clone without Node.
//
//go:embed all:dist
var dist embed.FS

// Pages returns the dashboard's files; built is false when they are only the
// placeholder, which is served as index.html then.
func Pages() (pages fs.FS, built bool) {
	sub, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // the directive above guarantees the folder
	}
	return pagesOf(sub)
}

func pagesOf(files fs.FS) (pages fs.FS, built bool) {
	if _, err := fs.Stat(files, "index.html"); err != nil {
		return placeholder{files}, false
	}
	return files, true
}

// placeholder serves placeholder.html under the name of index.html.
type placeholder struct{ files fs.FS }

func (p placeholder) Open(name string) (fs.File, error) {
	if name == "index.html" {
		name = "placeholder.html"
	}
	return p.files.Open(name)
}
