import ArgumentParser
import Configuration
import Foundation

/// Options to show something again and again until it is interrupted.
struct Watching: ParsableArguments {
    @Flag(help: "Show it again and again.")
    var watch = false

    @Option(help: "Time between two showings, 100ms to 1h; implies --watch.")
    var interval: String?

    @Option(help: "How often to show it before ending; implies --watch.")
    var count: Int?

    func validate() throws {
        _ = try milliseconds()
        if let count, count < 1 { throw ValidationError("--count takes a number from 1") }
    }

    private func milliseconds() throws -> UInt64 {
        guard let interval else { return 1_000 }
        let time: UInt64
        do { time = try Quantity.time.parse(interval) } catch { throw ValidationError("--interval: \(error.description)") }
        guard 100...3_600_000 ~= time else { throw ValidationError("--interval takes 100ms to 1h, not \(interval)") }
        return time
    }

    /// Shows once, or as often as was asked for. On a terminal, each output replaces the one before.
    func repeating(_ show: () throws -> Void) throws {
        guard watch || interval != nil || count != nil else { return try show() }
        let pause = Double(try milliseconds()) / 1_000
        let isTerminal = isatty(STDOUT_FILENO) != 0
        var left = count ?? .max
        while true {
            // These escape sequences move the cursor home and clear what is below.
            if isTerminal { FileHandle.standardOutput.write(Data("\u{1b}[H\u{1b}[J".utf8)) }
            try show()
            left -= 1
            if left == 0 { return }
            if !isTerminal { Output.print("\n", newline: false) }
            Thread.sleep(forTimeInterval: pause)
        }
    }
}
