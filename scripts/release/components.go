package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
)

// bundled are the packages that the dashboard's source imports. They, and what
// they need, end up in the binary; everything else in the lock file only builds.
var bundled = []string{"lightweight-charts", "svelte"}

// locked is a package of package-lock.json.
type locked struct {
	Version      string            `json:"version"`
	Integrity    string            `json:"integrity"`
	License      string            `json:"license"`
	Dependencies map[string]string `json:"dependencies"`
}

// components returns the list of the binary's Go modules with the dashboard's
// packages added to it, as CycloneDX. What tells of the machine that made it is
// left out.
func (p packing) components(modules string) ([]byte, error) {
	b, err := os.ReadFile(modules)
	if err != nil {
		return nil, err
	}
	var list map[string]any
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, err
	}
	meta, ok := list["metadata"].(map[string]any)
	all, ok2 := list["components"].([]any)
	if !ok || !ok2 {
		return nil, fmt.Errorf("%s has no metadata or no components", modules)
	}
	meta["timestamp"] = p.at.Format("2006-01-02T15:04:05Z07:00")
	if tools, ok := meta["tools"].([]any); ok {
		for _, t := range tools {
			if t, ok := t.(map[string]any); ok {
				delete(t, "hashes") // of the tool as it was built on this machine
			}
		}
	}
	if err := license(meta["component"], projectLicense); err != nil {
		return nil, err
	}
	for _, c := range all {
		c, ok := c.(map[string]any)
		switch {
		case ok && c["name"] == "std":
			if err := license(c, goLicense); err != nil {
				return nil, err
			}
		case !ok || c["licenses"] == nil: // the tool only warns
			return nil, fmt.Errorf("%v %v has no licence: is the module in the cache (go mod download)", c["name"], c["version"])
		}
	}
	pages, err := pagePackages("websocket/web/package-lock.json")
	if err != nil {
		return nil, err
	}
	list["components"] = append(all, pages...)
	out, err := json.MarshalIndent(list, "", "  ")
	return append(out, '\n'), err
}

// projectLicense and goLicense are those of the two components that are in no
// module cache: the project itself, and Go's standard library.
const (
	projectLicense = "MIT"
	goLicense      = "BSD-3-Clause"
)

// license names a component's licence by its SPDX id.
func license(component any, id string) error {
	c, ok := component.(map[string]any)
	if !ok {
		return fmt.Errorf("the component that is under %s is %v", id, component)
	}
	c["licenses"] = []any{map[string]any{"license": map[string]any{"id": id}}}
	return nil
}

// pagePackages returns the dashboard's packages as components.
func pagePackages(lock string) ([]any, error) {
	b, err := os.ReadFile(lock)
	if err != nil {
		return nil, err
	}
	var file struct {
		Packages map[string]locked `json:"packages"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", lock, err)
	}
	inside := map[string]bool{}
	for rest := slices.Clone(bundled); len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		if inside[name] {
			continue
		}
		inside[name] = true
		for need := range file.Packages["node_modules/"+name].Dependencies {
			rest = append(rest, need)
		}
	}
	paths := make([]string, 0, len(file.Packages))
	for at := range file.Packages {
		paths = append(paths, at)
	}
	slices.Sort(paths)
	var list []any
	for _, at := range paths {
		if at == "" { // the dashboard itself
			continue
		}
		name := at[strings.LastIndex(at, "node_modules/")+len("node_modules/"):]
		c, err := component(name, file.Packages[at], inside[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", lock, at, err)
		}
		list = append(list, c)
	}
	return list, nil
}

// component is one package of the dashboard. Excluded means in CycloneDX that it
// took part in the build and is not delivered.
func component(name string, l locked, inside bool) (map[string]any, error) {
	purl := "pkg:npm/" + strings.ReplaceAll(url.PathEscape(name), "@", "%40") + "@" + l.Version
	purl = strings.Replace(purl, "%2F", "/", 1)
	c := map[string]any{"type": "library", "name": name, "version": l.Version, "purl": purl, "bom-ref": purl, "scope": "excluded"}
	if inside {
		c["scope"] = "required"
	}
	if l.License != "" {
		c["licenses"] = []any{map[string]any{"expression": l.License}}
	}
	if sum, ok := strings.CutPrefix(l.Integrity, "sha512-"); ok {
		raw, err := base64.StdEncoding.DecodeString(sum)
		if err != nil {
			return nil, err
		}
		c["hashes"] = []any{map[string]any{"alg": "SHA-512", "content": hex.EncodeToString(raw)}}
	}
	return c, nil
}
