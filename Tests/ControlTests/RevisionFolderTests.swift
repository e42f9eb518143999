import Configuration
import ControlAPI
import ControlPlane
import Foundation
import TestSupport
import Testing

/// The folder of the configurations that ran.
@Suite struct RevisionFolderTests {
    private let folder = TemporaryFolder()
    private var path: String { folder("state.history") }

    private func model(_ number: Int) throws -> Model { try Model.checked(yaml: "bridges: [{name: br\(number)}]\n") }

    @Test func whatIsKeptIsFound() throws {
        let revisions = RevisionFolder(path: path)
        #expect(revisions.list().isEmpty)
        #expect { try revisions.text(1) } throws: { "\($0)" == "no past configuration has the number 1: there is none (sluice config history)" }
        let text = "# mine\nbridges: [{name: br1}]\n"
        #expect(try revisions.record(text, model(1), how: "apply", who: Peer(pid: 7, uid: 0, groups: [0], command: "sluice"), changes: 3) == 1)
        // Another daemon, or this one after a restart, goes on counting.
        let again = RevisionFolder(path: path)
        #expect(try again.record("not a configuration", nil, how: "the file before save", who: nil, changes: 0) == 2)
        let list = again.list()
        #expect(list.map(\.number) == [1, 2] && list.map(\.how) == ["apply", "the file before save"] && list.map(\.who) == ["uid 0 pid 7 sluice", nil] && list[0].changes == 3)
        #expect(try again.text(1).yaml == text && again.text(1).revision == list[0])
        // Each file is a configuration file by itself.
        #expect(try Model.checked(yaml: String(contentsOfFile: "\(path)/1.yaml", encoding: .utf8)) == model(1))
        #expect { try again.text(3) } throws: { "\($0)".contains("there are 1 to 2") }
    }

    @Test func whatRunsIsKeptOnce() throws {
        let revisions = RevisionFolder(path: path)
        #expect(try revisions.record(model(1), how: "start") == 1)
        #expect(try revisions.record(model(1), how: "single changes") == 1)
        #expect(try RevisionFolder(path: path).record(model(1), how: "start") == 1)
        #expect(try RevisionFolder(path: path).record(model(2), how: "single changes") == 2)
        #expect(revisions.list().map(\.changes) == [1, 2])
    }

    @Test func onlyTheLastOnesStay() throws {
        let revisions = RevisionFolder(path: path)
        for number in 1...(RevisionFolder.most + 5) { _ = try revisions.record("{}\n", Model(), how: "apply", who: nil, changes: number) }
        #expect(revisions.list().map(\.number) == Array(6...(RevisionFolder.most + 5)))
        #expect(try FileManager.default.contentsOfDirectory(atPath: path).count == RevisionFolder.most)
    }

    @Test func twoThreadsNeverGetTheSameNumber() throws {
        let revisions = RevisionFolder(path: path)
        onThreads(4) { _ in for _ in 0..<5 { _ = try? revisions.record("{}\n", nil, how: "apply", who: nil, changes: 0) } }
        #expect(revisions.list().map(\.number) == Array(1...20))
    }

    @Test func whatIsDamagedIsLeftOut() throws {
        let revisions = RevisionFolder(path: path)
        for _ in 1...3 { _ = try revisions.record("{}\n", nil, how: "apply", who: nil, changes: 0) }
        try "".write(toFile: "\(path)/1.yaml", atomically: false, encoding: .utf8)
        try "# sluice revision {\"number\":\u{0}}\n".write(toFile: "\(path)/2.yaml", atomically: false, encoding: .utf8)
        try "x".write(toFile: "\(path)/04.yaml", atomically: false, encoding: .utf8)
        #expect(revisions.list().map(\.number) == [3])
        #expect { try revisions.text(2) } throws: { "\($0)".contains("2.yaml is damaged") }
        #expect(try RevisionFolder(path: path).record("{}\n", nil, how: "apply", who: nil, changes: 0) == 4)
        try "".write(toFile: folder("file"), atomically: false, encoding: .utf8)
        #expect(throws: StateFileError.self) { try RevisionFolder(path: folder("file")).record("", nil, how: "", who: nil, changes: 0) }
    }

    @Test func itStandsBesideTheStateFile() {
        #expect(RevisionFolder.standard(stateFile: "/var/lib/sluice/state.json") == "/var/lib/sluice/state.history")
        #expect(RevisionFolder.standard(stateFile: "/s") == "/s.history")
    }
}
