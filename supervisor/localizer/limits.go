package localizer

import "fmt"

// Limits bound what a topology may put on a node's disk. A zero field means its default.
type Limits struct {
	// JarBytes bounds each of stormjar.jar, dependency jars and user blobs. Default 2 GiB.
	JarBytes int64
	// CodeBytes bounds stormcode.ser and stormconf.ser, which are packed; unpacked it is client.MaxStoredBytes. Default
	// 64 MiB.
	CodeBytes int64
	// Entries bounds the files and directories unpacked from one archive. Default 65536.
	Entries int
	// UnpackedBytes bounds what one archive unpacks to. Default 4 GiB.
	UnpackedBytes int64
	// FileBytes bounds one unpacked file. Default 1 GiB.
	FileBytes int64
	// DirectoryBytes bounds the list of entries of a zip file, all of which has to be held in memory. Default 32 MiB.
	DirectoryBytes int64
}

func (l Limits) withDefaults() (Limits, error) {
	for _, f := range []struct {
		name   string
		field  *int64
		preset int64
	}{
		{"JarBytes", &l.JarBytes, 2 << 30},
		{"CodeBytes", &l.CodeBytes, 64 << 20},
		{"UnpackedBytes", &l.UnpackedBytes, 4 << 30},
		{"FileBytes", &l.FileBytes, 1 << 30},
		{"DirectoryBytes", &l.DirectoryBytes, 32 << 20},
	} {
		if *f.field < 0 {
			return l, fmt.Errorf("limit %s is negative: %d", f.name, *f.field)
		}
		if *f.field == 0 {
			*f.field = f.preset
		}
	}
	if l.Entries < 0 {
		return l, fmt.Errorf("limit Entries is negative: %d", l.Entries)
	}
	if l.Entries == 0 {
		l.Entries = 65536
	}
	return l, nil
}
