import Foundation
import Testing

extension EndToEnd {
    @Suite("What stands where a guest's socket should be", .needs(.hugepages))
    struct SocketTests {
        @Test("a socket that Sluice makes has the owner and the mode of its port, at once and when they change; an owner whom nobody knows is refused")
        func ownerAndMode() throws {
            try withLab { lab in
                let path = lab.path("vm1")
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    ports: [{name: vm1, type: vhost, bridge: br0, socket: \(path), mode: server, socket-owner: "nobody:daemon", socket-mode: 0660}]

                    """)
                func access() throws -> String { try run("stat", "-c", "%U:%G %a", path) }
                #expect(try access() == "nobody:daemon 660\n")
                try daemon.command("port", "set", "vm1", "socket-owner", "1", "socket-mode", "0600")
                #expect(try access() == "daemon:daemon 600\n")
                for (owner, sentence) in [("nosuchuser", "this host has no user nosuchuser to own the socket"), ("root:nosuchgroup", "this host has no group nosuchgroup")] {
                    let told = try daemon.sluice("port", "set", "vm1", "socket-owner", owner).errors
                    #expect(told.contains("port vm1: \(sentence)"), "\(told)")
                }
                #expect(try access() == "daemon:daemon 600\n")
                try daemon.command("port", "set", "vm1", "socket-owner", "none", "socket-mode", "none")
                #expect(try access() == "root:root 755\n")
                let other = ["port", "add", "vm2", "type", "vhost", "bridge", "br0", "socket", lab.path("vm2"), "mode", "server", "socket-owner", "nosuchuser"]
                #expect(try daemon.sluice(other).status != 0)
                #expect(!FileManager.default.fileExists(atPath: lab.path("vm2")))
                daemon.stop()
            }
        }

        @Test("a file in the place of QEMU's socket is told, and the port waits for its guest once it is gone", arguments: ["client", "server"])
        func file(_ mode: String) throws {
            try withLab { lab in
                let path = lab.path("vm")
                try Data("not ours".utf8).write(to: URL(fileURLWithPath: path))
                let daemon = try Daemon(lab, "bridges: [{name: br0}]\nports: [{name: vm, type: vhost, bridge: br0, mode: \(mode), socket: \(path)}]\n")
                let sentence = "\(path) exists and is not a socket: choose another path, or remove it"
                #expect(daemon.log.contains("port vm") && daemon.log.contains(sentence), "\(daemon.log)")
                #expect(try daemon.port("vm")["state"].string == "failed")
                #expect(try daemon.command("status").contains("failed: port vm: \(sentence)"))
                let check = try daemon.sluice("check", daemon.config)
                #expect(check.status == 0 && check.errors.contains("warning: ports[0].socket: \(path) exists on this host and is not a socket"), "\(check.errors)")
                #expect(try String(contentsOfFile: path, encoding: .utf8) == "not ours")
                try FileManager.default.removeItem(atPath: path)
                try daemon.waitUntil(port: "vm", is: "waiting")
                if mode == "client" {
                    // The file may also appear later.
                    try Data().write(to: URL(fileURLWithPath: path))
                    let port = try daemon.port("vm")
                    #expect(port["state"].string == "failed" && port["reason"].string == sentence, "\(port)")
                    let refused = try daemon.sluice("port", "set", "vm", "queues", "2")
                    #expect(refused.status == 1 && refused.errors.contains(sentence), "\(refused.errors)")
                    try FileManager.default.removeItem(atPath: path)
                    try daemon.waitUntil(port: "vm", is: "waiting")
                }
                daemon.stop()
            }
        }

        @Test("a port at the daemon's own control socket is failed, and the daemon serves its clients", arguments: ["client", "server"])
        func controlSocket(_ mode: String) throws {
            try withLab { lab in
                let own = "\(lab.folder)/../\((lab.folder as NSString).lastPathComponent)/control.sock"
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    ports:
                      - {name: vm, type: vhost, bridge: br0, mode: \(mode), socket: \(own)}
                      - {name: other, type: vhost, bridge: br0, socket: \(lab.path("other"))}
                    """)
                let sentence = "\(own) is this daemon's own control socket: choose another path"
                #expect(daemon.log.contains("port vm: \(sentence)"), "\(daemon.log)")
                #expect(try daemon.port("vm")["state"].string == "failed")
                let refused = try daemon.sluice("port", "set", "other", "socket", daemon.socket)
                #expect(refused.status == 1 && refused.errors.contains("port other: \(daemon.socket) is this daemon's own control socket"), "\(refused.errors)")
                #expect(try daemon.port("other")["state"].string == "waiting")
                try daemon.command("port", "set", "vm", "socket", lab.path("vm"))
                try daemon.waitUntil(port: "vm", is: "waiting")
                daemon.stop()
            }
        }
    }
}
