"""A terminal for tests: what stands on its screen after all that was written to it."""

import io
import re


class Terminal(io.StringIO):
    """A file that says that it is a terminal."""

    def isatty(self) -> bool:
        return True

    @property
    def screen(self) -> list[str]:
        """The lines as they look: carriage returns and movements of the cursor are carried out, colours left out."""
        lines, row, column = [""], 0, 0
        for part in re.findall(r"\x1b\[\d*[A-Za-z]|[\r\n]|.", self.getvalue()):
            if part == "\r":
                column = 0
            elif part == "\n":
                row, column = row + 1, 0
                lines += [""] * (row + 1 - len(lines))
            elif part == "\x1b[A":
                row -= 1
            elif part[0] != "\x1b":
                line = lines[row].ljust(column)
                lines[row] = line[:column] + part + line[column + 1 :]
                column += 1
        return [line.rstrip() for line in lines]
