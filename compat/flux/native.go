package flux

import "github.com/gearstorm/gearstorm/compat"

// constructNative reads a class of Storm that every worker has in Go. It has no config methods and properties.
func (c *component) constructNative(b *bean, spout bool) error {
	want := 0
	if b.className == compat.DRPCSpoutClass {
		want = 1
	}
	switch {
	case spout != (b.className == compat.DRPCSpoutClass):
		return b.at.errorf("class %s stands in the wrong list of spouts and bolts", b.className)
	case len(b.args) != want:
		return b.at.errorf("%s takes %d constructor arguments, not %d", b.className, want, len(b.args))
	case len(b.properties)+len(b.methods) > 0:
		return b.at.errorf("%s has no properties or config methods", b.className)
	}
	c.native = []string{b.className}
	if !spout {
		return nil
	}
	function, err := b.args[0].text("the name of the function")
	if err == nil && function == "" {
		err = b.args[0].errorf("the function has no name")
	}
	c.native = append(c.native, function)
	c.streams["default"] = Stream{Fields: compat.DRPCFields()}
	return err
}
