import ArgumentParser
import Foundation
import TrafficGenerator

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Read a scenario and say what is wrong with it.")
    @Argument(help: "The scenario's file; - is standard input.") var scenario: String

    func run() throws {
        do {
            let plan = try Scenario(yaml: text(of: scenario))
            print("\(plan.ports.count) ports, \(plan.flows.count) flows: good")
        } catch { throw fail(error) }
    }
}
