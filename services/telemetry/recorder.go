package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Recording is how the recorder of frames stands.
type Recording struct {
	Frames, Dropped, Bytes uint64
	On                     bool // false while the disk takes nothing
}

// Recorder adds the recorder's metrics, once; now is asked at every scrape.
func (m *Metrics) Recorder(now func() Recording) {
	counter := func(name, help string, value func(Recording) uint64) {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "trader_recorder_" + name, Help: help,
		}, func() float64 { return float64(value(now())) }))
	}
	counter("frames_total", "Frames between trader and gateway that were recorded.", func(r Recording) uint64 { return r.Frames })
	counter("dropped_total", "Frames that were not recorded, because the disk was too slow or took nothing.", func(r Recording) uint64 { return r.Dropped })
	counter("written_bytes_total", "Bytes that the recorder wrote.", func(r Recording) uint64 { return r.Bytes })
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "trader_recorder_recording", Help: "1 while frames are recorded, 0 while the disk takes nothing.",
	}, func() float64 {
		if now().On {
			return 1
		}
		return 0
	}))
}
