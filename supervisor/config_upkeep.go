package supervisor

// upkeep reads the keys of health checks and of the cache of blobs.
func (r *reader) upkeep(cfg *Config) {
	r.text("storm.health.check.dir", &cfg.HealthDir)
	r.keep(assign(&cfg.HealthTimeout)(r.c.MillisOr("storm.health.check.timeout.ms", 0)))
	sick, err := r.c.BoolOr("storm.health.check.fail.on.timeouts", true)
	r.keep(err)
	cfg.HealthIgnoreTimeout = !sick
	r.keep(assign(&cfg.BlobInterval)(r.c.SecsOr("supervisor.localizer.update.blob.interval.secs", 0)))
	r.keep(assign(&cfg.CleanInterval)(r.c.MillisOr("supervisor.localizer.cleanup.interval.ms", 0)))
	megabytes, err := r.c.IntOr("supervisor.localizer.cache.target.size.mb", 0)
	r.keep(err)
	cfg.CacheBytes = megabytes << 20
	r.number("supervisor.blobstore.download.thread.count", &cfg.DownloadThreads)
	const retries = "supervisor.blobstore.download.max_retries"
	if r.number(retries, &cfg.DownloadRetries); r.c.Has(retries) && cfg.DownloadRetries == 0 {
		cfg.DownloadRetries = -1 // none, which 0 is not for Config
	}
}
