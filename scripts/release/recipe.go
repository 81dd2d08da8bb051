package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// recipe is what a Containerfile says: what to copy, and how to run it.
type recipe struct {
	copies []copied
	config v1.Config
}

// copied is one COPY.
type copied struct {
	from, to string // a slash at the end names a folder
	owner    int    // user and group
}

// readRecipe reads a Containerfile of the few instructions that an image of one
// static program needs. It refuses every other one: to leave out what it does
// not know would make another image than an engine makes.
func readRecipe(path string) (recipe, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return recipe{}, err
	}
	var r recipe
	for n, line := range strings.Split(string(b), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		if err := r.take(word, strings.TrimSpace(rest)); err != nil {
			return recipe{}, fmt.Errorf("%s:%d: %s: %w", path, n+1, word, err)
		}
	}
	if len(r.config.Entrypoint) == 0 || len(r.copies) == 0 {
		return recipe{}, fmt.Errorf("%s: it copies nothing, or runs nothing", path)
	}
	return r, nil
}

func (r *recipe) take(word, rest string) (err error) {
	c := &r.config
	switch word {
	case "FROM":
		if rest != "scratch" {
			err = fmt.Errorf("%q is not scratch", rest)
		}
	case "COPY":
		err = r.takeCopy(strings.Fields(rest))
	case "ENV":
		c.Env = append(c.Env, strings.Fields(rest)...)
	case "USER":
		c.User = rest
	case "WORKDIR":
		c.WorkingDir = rest
	case "VOLUME":
		c.Volumes = map[string]struct{}{rest: {}}
	case "EXPOSE":
		c.ExposedPorts = map[string]struct{}{rest + "/tcp": {}}
	case "STOPSIGNAL":
		c.StopSignal = rest
	case "HEALTHCHECK":
		c.Healthcheck, err = health(rest)
	case "ENTRYPOINT":
		err = json.Unmarshal([]byte(rest), &c.Entrypoint)
	case "CMD":
		err = json.Unmarshal([]byte(rest), &c.Cmd)
	default:
		err = fmt.Errorf("not among the instructions that are understood here")
	}
	return err
}

func (r *recipe) takeCopy(words []string) error {
	var c copied
	if len(words) > 0 && strings.HasPrefix(words[0], "--chown=") {
		user, group, _ := strings.Cut(strings.TrimPrefix(words[0], "--chown="), ":")
		n, err := strconv.Atoi(user)
		if err != nil || user != group {
			return fmt.Errorf("%s is not one number for user and group", words[0])
		}
		c.owner, words = n, words[1:]
	}
	if len(words) != 2 || strings.HasSuffix(words[0], "/") != strings.HasSuffix(words[1], "/") {
		return fmt.Errorf("%q is not one file to a file, or one folder/ to a folder/", words)
	}
	c.from, c.to = words[0], strings.TrimPrefix(words[1], "/")
	r.copies = append(r.copies, c)
	return nil
}

// health reads HEALTHCHECK.
func health(rest string) (*v1.HealthConfig, error) {
	options, command, ok := strings.Cut(rest, "CMD ")
	if !ok {
		return nil, fmt.Errorf("no CMD")
	}
	h := &v1.HealthConfig{}
	for _, o := range strings.Fields(options) {
		name, value, _ := strings.Cut(o, "=")
		if name == "--retries" {
			n, err := strconv.Atoi(value)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", o, err)
			}
			h.Retries = n
			continue
		}
		d, err := time.ParseDuration(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o, err)
		}
		switch name {
		case "--interval":
			h.Interval = d
		case "--timeout":
			h.Timeout = d
		case "--start-period":
			h.StartPeriod = d
		default:
			return nil, fmt.Errorf("option %s is not understood", o)
		}
	}
	var words []string
	if err := json.Unmarshal([]byte(command), &words); err != nil {
		return nil, fmt.Errorf("command: %w", err)
	}
	h.Test = append([]string{"CMD"}, words...)
	return h, nil
}
