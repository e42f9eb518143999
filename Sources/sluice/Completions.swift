import ArgumentParser
import ControlAPI

extension CompletionKind {
    /// The names of objects that the daemon has, for the word that stands behind object and verb. The shell waits for them, so a daemon that does not answer at
    /// once is not waited for.
    static func names<Reply>(_ method: Method<NameParams, Reply>) -> CompletionKind {
        let name = method.name
        return .custom { words, index, _ in
            let before = words.prefix(max(index, 0)).filter { !$0.hasPrefix("-") }
            guard before.count == 3 else { return [] }
            let found: [Named]? = try? Client(path: Client.standardPath, patience: .milliseconds(500)).call(name, NameParams(name: nil))
            return (found ?? []).map(\.name).sorted()
        }
    }

    private struct Named: Decodable { var name: String }
}
