import ControlAPI
import ControlPlane
import Foundation
import Testing

/// Who may look, and who may change.
@Suite struct AccessTests {
    private static let view: UInt32 = 60_001, change: UInt32 = 60_002

    private func access(_ view: String? = "\(Self.view)", _ change: String? = "\(Self.change)") throws -> Access {
        try Access(viewGroup: view, changeGroup: change, owner: 4_711)
    }

    private func peer(_ uid: UInt32, _ groups: UInt32...) -> Peer { Peer(pid: 1, uid: uid, groups: Set(groups), command: "sluice") }

    @Test func rootAndTheDaemonsOwnUserMayDoEverything() throws {
        for uid in [0, 4_711] as [UInt32] {
            for effect in [MethodEffect.shows, .changes] { #expect(try access().refusal("port.add", effect, to: peer(uid, uid)) == nil) }
        }
    }

    @Test func oneGroupLooksAndTheOtherChanges() throws {
        #expect(try access().refusal("port.show", .shows, to: peer(1_000, 1_000, Self.view)) == nil)
        #expect(try access().refusal("port.show", .shows, to: peer(1_000, Self.change)) == nil)
        #expect(try access().refusal("port.add", .changes, to: peer(1_000, Self.change)) == nil)
        let refused = try access().refusal("port.add", .changes, to: peer(1_000, 1_000, Self.view))
        #expect(refused == RPCError(RPCError.forbidden, "port.add is for root and members of the group 60002: join one, or use sudo"))
        let unknown = try access().refusal("port.show", .shows, to: peer(1_000, 1_000))
        #expect(unknown?.message == "port.show is for root and members of the groups 60001 and 60002: join one, or use sudo")
        #expect(try access().refusal("port.show", .shows, to: nil) != nil)
    }

    @Test func groupsThatAreMissing() throws {
        #expect { try access("no-such-group") } throws: { "\($0)".contains("there is no group 'no-such-group': make it with `groupadd --system no-such-group`") }
        let root = try access("root", nil)
        #expect(root.view == Access.Group(name: "root", id: 0))
        if root.change == nil {
            let refused = root.refusal("port.add", .changes, to: peer(1_000, 0))
            #expect(refused?.message == "port.add is for root and members of the group sluice-admin, which this host does not have: join one, or use sudo")
        }
    }

    @Test(.enabled(if: getuid() == 0)) func theSocketIsOpenToBothGroups() throws {
        let folder = TemporaryFolder(), path = folder("s")
        let server = ControlServer(path: path, queue: DispatchQueue(label: "access"), access: try access()) { _ in .reply(true) }
        try server.start()
        defer { server.stop() }
        var info = stat()
        #expect(stat(path, &info) == 0 && info.st_gid == Self.view && info.st_mode & 0o777 == 0o660)
        chmod(folder(""), 0o755)
        // Another process connects, with only these groups.
        for (group, isLetIn) in [(Self.view, true), (Self.change, true), (60_003, false)] {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/setpriv")
            let script = "import socket,sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
            process.arguments = ["--reuid", "60000", "--regid", "60000", "--groups", "\(group)", "/usr/bin/python3", "-c", script, path]
            process.standardError = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            #expect((process.terminationStatus == 0) == isLetIn, "\(group)")
        }
    }
}
