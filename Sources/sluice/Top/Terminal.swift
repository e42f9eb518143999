import Foundation

/// A terminal that shows whole screens and gives single keys. It is as it was before when this is gone.
final class Terminal {
    enum Key: Equatable {
        case character(Character)
        case up, down, pageUp, pageDown, enter, escape, backspace, interrupt
    }

    /// How the terminal was before; nil: it was not changed.
    private var before: termios?
    /// Letters that came together with one that was taken, as when text is pasted.
    private var further: Substring = ""

    /// nil: standard input or output is no terminal.
    init?() {
        var raw = termios()
        guard isatty(STDIN_FILENO) != 0, isatty(STDOUT_FILENO) != 0, tcgetattr(STDIN_FILENO, &raw) == 0 else { return nil }
        before = raw
        raw.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG)
        tcsetattr(STDIN_FILENO, TCSANOW, &raw)
        // The alternate screen, without a cursor.
        Self.write("\u{1b}[?1049h\u{1b}[?25l")
    }

    deinit {
        // Swift ends an instance whose initialization has failed, too.
        guard var before else { return }
        Self.write("\u{1b}[?25h\u{1b}[?1049l")
        tcsetattr(STDIN_FILENO, TCSANOW, &before)
    }

    /// Columns and lines.
    var size: (columns: Int, rows: Int) {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else { return (80, 24) }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// Shows these lines and nothing else. Lines are written over, so that nothing flickers.
    func show(_ lines: [String]) {
        let text = lines.map { Output.printable($0) + "\u{1b}[K" }.joined(separator: "\r\n")
        Self.write("\u{1b}[H\(text)\u{1b}[J")
    }

    /// Waits for a key.
    /// - Returns: nil: none came in this time.
    func key(within seconds: Double) -> Key? {
        if let next = further.popFirst() { return Self.key(next) }
        var source = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        guard poll(&source, 1, Int32(max(0, seconds * 1_000))) > 0 else { return nil }
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = read(STDIN_FILENO, &bytes, bytes.count)
        // The terminal is gone.
        guard count > 0 else { return .interrupt }
        switch String(decoding: bytes[..<count], as: UTF8.self) {
        case "\u{1b}[A", "\u{1b}OA": return .up
        case "\u{1b}[B", "\u{1b}OB": return .down
        case "\u{1b}[5~": return .pageUp
        case "\u{1b}[6~": return .pageDown
        case "\u{1b}": return .escape
        case let text:
            // Other keys than these begin with an escape, and mean nothing here.
            guard let first = text.first, first != "\u{1b}" else { return nil }
            further = text.dropFirst()
            return Self.key(first)
        }
    }

    private static func key(_ letter: Character) -> Key? {
        switch letter {
        case "\r", "\n": .enter
        case "\u{7f}", "\u{8}": .backspace
        case "\u{3}", "\u{4}": .interrupt
        default: letter.isASCII && letter >= " " ? .character(letter) : nil
        }
    }

    private static func write(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }
}
