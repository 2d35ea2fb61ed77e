"""A local page that shows what a board sees, collects samples and teaches it. docs/live.md says what it promises."""
