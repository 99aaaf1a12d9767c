// Package program is what the programs of the product do alike: settings,
// logs, exit codes, signals, the ready file, the version and the output of
// commands. With it a main function is a few dull lines.
//
// A setting is a flag; it comes from the command line, else from the
// environment (PREFIX_NAME), else from the YAML file of --config, else from
// its default. Secrets are never the value of a flag: they come from a file or
// from standard input.
//
// Exit codes: 0 done, 1 failed, 2 called wrongly. What went wrong is one line
// on standard error; the result of a command alone goes to standard output.
//
// Main is called once, from the main goroutine; Env may be used from every
// goroutine after that.
package program
