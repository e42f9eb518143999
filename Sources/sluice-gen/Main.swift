import ArgumentParser
import Foundation
import TrafficGenerator

@main
struct SluiceGen: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sluice-gen",
        abstract: "Plays guests and other ends of a switch: sends flows between ports and judges what arrives.",
        subcommands: [Run.self, Circulate.self, Check.self, Example.self, HiccupsCommand.self, WakesCommand.self])
}

/// Prints an error and gives the exit status for it: 2, as the scenario or the machine refuses. (0: all expectations were met; 1: some were not.)
func fail(_ error: any Error) -> ExitCode {
    FileHandle.standardError.write(Data("sluice-gen: \(error)\n".utf8))
    return ExitCode(2)
}

/// The text of a file, or of standard input for `-`.
func text(of path: String) throws -> String {
    if path == "-" { return String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self) }
    guard let data = FileManager.default.contents(atPath: path) else { throw ScenarioError("cannot read the scenario \(path)") }
    return String(decoding: data, as: UTF8.self)
}
