import Foundation

/// What a process says that is measured in turns: a line when it is ready, and a line of JSON for each line that says for how many seconds to measure.
enum Dialogue {
    static let ready = "ready"
    /// What passes before each turn: caches fill, and the time in which the process was stopped ends up outside.
    private static let warmUp = 0.01

    static func answer(_ measure: (Double) throws -> some Encodable) throws {
        say(Data(ready.utf8))
        while let line = readLine() {
            guard let seconds = Double(line), 0.01...60 ~= seconds else { throw Failure("`\(line)` is no time to measure for: write 0.01 to 60 seconds") }
            Thread.sleep(forTimeInterval: warmUp)
            say(try JSONEncoder().encode(measure(seconds)))
        }
    }

    /// Without waiting for more, as `print` does into a pipe.
    private static func say(_ line: Data) { FileHandle.standardOutput.write(line + [10]) }
}
