import Testing

/// The lab proves itself with Debian's own switch, so that a fault of the lab is told from a fault of the product.
@Suite("The lab itself", .needs(.root, .qemu, .testpmd))
struct LabTests {
    @Test("two guests exchange a file through dpdk-testpmd")
    func guestsThroughTestpmd() throws {
        try withLab { lab in
            let switching = try Testpmd(lab, "sw", devices: ["net_vhost0,iface=\(lab.path("a.sock")),client=1", "net_vhost1,iface=\(lab.path("b.sock")),client=1"],
                options: ["--forward-mode=io", "--auto-start", "--no-lsc-interrupt"])
            let a = try Guest(lab, "a", mac: "52:54:00:00:00:0a", socket: lab.path("a.sock"))
            let b = try Guest(lab, "b", mac: "52:54:00:00:00:0b", socket: lab.path("b.sock"))
            _ = try switching.started()
            try a.booted().configure("10.0.0.1/24")
            try b.booted().configure("10.0.0.2/24")
            try a.reaches("10.0.0.2")
            let digest = try a.serveRandomFile("f", kib: 4096)
            #expect(try b.fetchedDigest("http://10.0.0.1/f") == digest)
        }
    }
}
