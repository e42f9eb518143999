import ArgumentParser
import TrafficGenerator

struct Example: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print a scenario with every key explained.")
    func run() { print(Scenario.example, terminator: "") }
}
