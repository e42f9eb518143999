import Foundation

/// The dialogue with a process that measures in turns: it prints a line when it is ready. It then reads lines that say for how many seconds to measure, and
/// answers each with a line of JSON.
enum Dialogue {
    static let ready = "ready"
    /// The time that passes before each turn: caches fill, and the time for which the process was stopped is left out of the measurement.
    private static let warmUp = 0.01

    static func answer(_ measure: (Double) throws -> some Encodable) throws {
        say(Data(ready.utf8))
        while let line = readLine() {
            guard let seconds = Double(line), 0.01...60 ~= seconds else { throw Failure("`\(line)` is no time to measure for: write 0.01 to 60 seconds") }
            Thread.sleep(forTimeInterval: warmUp)
            say(try JSONEncoder().encode(measure(seconds)))
        }
    }

    /// Writes at once, unlike `print`, which buffers if the output is a pipe.
    private static func say(_ line: Data) { FileHandle.standardOutput.write(line + [10]) }
}
