package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"robotrader/broker/ibkr"
	"robotrader/broker/ibkr/recorder"
	"robotrader/configs"
	"robotrader/services/alert"
	"robotrader/services/bus"
	"robotrader/services/journal"
	"robotrader/services/telemetry"
)

// resources are what must be closed well, whatever becomes of the application.
type resources struct {
	folder   *folder
	recorder *recorder.Recorder // nil when nothing is recorded
	journal  *journal.Journal
	bus      *bus.Server
	debug    *debugLog // of the link
	places   alert.Places
}

// closeWithin bounds the closing of all resources; with stopWithin it stays
// below the ten seconds that a signal may take.
const closeWithin = 2 * time.Second

// open opens the data folder, the journal and the bus, or nothing.
func open(cfg configs.Config, log *slog.Logger) (resources, error) {
	var res resources
	undo := func(err error) (resources, error) {
		return resources{}, errors.Join(err, res.close())
	}
	var err error
	if res.places, err = places(cfg); err != nil {
		return undo(err)
	}
	if res.folder, err = openFolder(cfg.Data.Dir); err != nil {
		return undo(err)
	}
	if err = res.folder.keepSettings(cfg); err != nil {
		return undo(err)
	}
	if !cfg.Recorder.Off && !lockstep(cfg) {
		res.recorder = recorder.Start(res.folder.dir, cfg.Recorder, log)
	}
	if res.journal, err = journal.Open(res.folder.path("journal.db")); err != nil {
		return undo(err)
	}
	res.debug = openDebugLog(res.folder.path(filepath.Join("logs", "broker_debug.log")), log)
	b := cfg.Bus
	b.Log = log
	if res.bus, err = bus.Start(b); err != nil {
		return undo(fmt.Errorf("bus: %w", err))
	}
	return res, nil
}

// tap is where the sessions' frames go, nil for nowhere.
func (r resources) tap() ibkr.Tap {
	if r.recorder == nil {
		return nil // and not a nil recorder in an interface
	}
	return r.recorder
}

// recording gives the recorder's figures to the metrics.
func (r resources) recording(m *telemetry.Metrics) {
	if r.recorder == nil {
		return
	}
	m.Recorder(func() telemetry.Recording {
		s := r.recorder.Stats()
		return telemetry.Recording{Frames: s.Frames, Dropped: s.Dropped, Bytes: s.Bytes, On: s.Recording}
	})
}

// close closes what is open, the last first.
func (r resources) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	var errs []error
	if r.bus != nil {
		errs = append(errs, r.bus.Stop(ctx))
	}
	if r.debug != nil {
		errs = append(errs, r.debug.close(ctx))
	}
	if r.journal != nil {
		errs = append(errs, r.journal.Close(ctx))
	}
	if r.recorder != nil {
		errs = append(errs, r.recorder.Close(ctx))
	}
	if r.folder != nil {
		errs = append(errs, r.folder.close())
	}
	return errors.Join(errs...)
}
