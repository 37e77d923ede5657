package conf

import (
	"encoding/json"
	"fmt"
)

// ProgramArgs is the key of a topology's configuration that holds the arguments its program was given.
const ProgramArgs = "gearstorm.program.args"

// Describe puts v among the program's arguments, in JSON behind mark: that is how workers hear of a topology whose program is gearstorm itself.
func (c Conf) Describe(mark string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("describe the topology: %w", err)
	}
	c[ProgramArgs] = []any{mark, string(text)}
	return nil
}

// Described reads into v what Describe put there. It says false if that was nothing, or has another mark.
func (c Conf) Described(mark string, v any) (bool, error) {
	if !c.Has(ProgramArgs) {
		return false, nil
	}
	args, err := c.StringList(ProgramArgs)
	if err != nil {
		return false, err
	}
	if len(args) != 2 || args[0] != mark {
		return false, nil
	}
	if err := json.Unmarshal([]byte(args[1]), v); err != nil {
		return false, fmt.Errorf("read the description of the topology: %w", err)
	}
	return true, nil
}
