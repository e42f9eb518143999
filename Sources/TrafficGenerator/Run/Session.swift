import Foundation

/// The control thread of a run, which sleeps between reports, steps, commands and signals.
public final class Session {
    /// What is shown during a run, and whether commands are read.
    public struct Output: Sendable {
        /// The table that is shown on standard output during the run: redrawn in place, printed again each time, or not shown.
        public var table: TableStyle = .none
        /// Whether a line of JSON is written to standard output in each interval.
        public var stream = false
        /// Whether commands are read from standard input.
        public var control = false
        public init() {}
        /// How the table is shown.
        public enum TableStyle: Sendable { case none, plain, redrawn }
    }

    private let generator: Generator
    private let output: Output
    private let table: Table
    private var before: Snapshot
    private var drawn = 0
    private var steps: ArraySlice<Step>
    private var nextReport: UInt64
    private var input = LineInput()
    private var quitting = false

    public init(_ generator: Generator, _ output: Output) {
        self.generator = generator
        self.output = output
        table = Table(generator.scenario)
        before = Snapshot(time: 0, flows: [], ports: [])
        steps = generator.scenario.steps[...]
        nextReport = generator.scenario.reportEvery
    }

    /// Runs until the scenario ends, `quit` is read, or a signal comes.
    public func run() throws -> Report {
        if generator.scenario.learn { generator.announce() }
        try generator.start()
        if output.stream { Self.say("{\"started\":true}") }
        while !generator.isDrained {
            let now = generator.elapsed
            if now >= nextReport {
                if now < generator.sendUntil + generator.scenario.reportEvery { report() }
                while nextReport <= now { nextReport += generator.scenario.reportEvery }
            }
            // Steps come after the report, as they end its interval.
            while let step = steps.first, step.at <= now {
                steps.removeFirst()
                note(step)
            }
            rest(until: wakeTime())
            if quitting { generator.stopSending() }
        }
        return generator.finish()
    }

    /// Announces a step. The worker carries out steps by itself.
    private func note(_ step: Step) {
        guard let note = step.note else { return }
        if output.table != .none {
            Self.say("\n\(note)")
            drawn = 0
        }
        before = generator.snapshot()
    }

    private func wakeTime() -> UInt64 {
        var time = nextReport
        if let step = steps.first { time = min(time, step.at) }
        let end = generator.sendUntil
        if generator.elapsed < end { time = min(time, end &+ 1_000_000) } else { time = min(time, generator.elapsed + 10_000_000) }
        return time
    }

    private func report() {
        let now = generator.snapshot()
        if output.stream { Self.say(StreamLine(generator.scenario, before, now).text) }
        if output.table != .none {
            let lines = table.lines(before, now)
            if output.table == .redrawn, drawn > 0 { Self.say("\u{1b}[\(drawn)A\u{1b}[J", end: "") }
            Self.say((["\(Quantity.fixed(Double(now.time) / 1e9, 1)) s"] + lines).joined(separator: "\n"))
            drawn = lines.count + 1
        }
        before = now
    }

    /// Sleeps until a time of the run, a command, or a signal.
    private func rest(until time: UInt64) {
        let now = generator.elapsed
        let left = Int(time > now ? min(time - now, 1_000_000_000) : 0)
        if !output.control || input.ended {
            if Signals.wait(nanoseconds: left) { quitting = true }
            return
        }
        // Standard input ends the sleep at once, a signal within 50 ms.
        for line in input.wait(milliseconds: min(50, (left + 999_999) / 1_000_000)) { obey(line) }
        if Signals.wait(nanoseconds: 0) { quitting = true }
    }

    private func obey(_ line: String) {
        do {
            switch try ControlCommand(line: line) {
            case .rate(let flows, let rate):
                try generator.setRate(flows, rate)
                Self.say("{\"ok\":true}")
            case .stats: Self.say(StreamLine(generator.scenario, before, generator.snapshot()).text)
            case .quit:
                quitting = true
                Self.say("{\"ok\":true}")
            }
        } catch {
            let text = (try? JSONEncoder().encode("\(error)")).map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
            Self.say("{\"error\":\(text)}")
        }
    }

    static func say(_ text: String, end: String = "\n") {
        FileHandle.standardOutput.write(Data((text + end).utf8))
    }
}

/// Reads lines of standard input as they come.
struct LineInput {
    private(set) var ended = false
    private var pending: [UInt8] = []
    /// The most bytes of a line; a longer one is not a command.
    private static let longestLine = 65_536

    mutating func wait(milliseconds: Int) -> [String] {
        var request = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        guard poll(&request, 1, CInt(milliseconds)) > 0 else { return [] }
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let count = read(STDIN_FILENO, &buffer, buffer.count)
        guard count > 0 else {
            ended = count == 0
            return []
        }
        pending += buffer[0..<count]
        var lines: [String] = []
        while let end = pending.firstIndex(of: 10) {
            let line = String(decoding: pending[..<end], as: UTF8.self).trimmingCharacters(in: .whitespaces)
            pending.removeSubrange(...end)
            if !line.isEmpty { lines.append(line) }
        }
        if pending.count > Self.longestLine { pending = [] }
        return lines
    }
}
