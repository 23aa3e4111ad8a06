using System.Net;
using WebhookEdge.Replay;

namespace WebhookEdge.UnitTests.Replay;

public sealed class RedisAddressTests
{
    [Theory]
    [InlineData("127.0.0.1:7000", "127.0.0.1:7000", null, null, false, null)]
    [InlineData("redis-1:6379,redis-2:6380,password=pw,ssl=true,defaultDatabase=3", "redis-1:6379 redis-2:6380", null, "pw", true, 3)]
    [InlineData("redis:6379,user=bob,password=p=w@x", "redis:6379", "bob", "p=w@x", false, null)]
    [InlineData("redis://host", "host:6379", null, null, false, null)]
    [InlineData("redis://host/", "host:6379", null, null, false, null)]
    [InlineData("REDIS://host:7000/2", "host:7000", null, null, false, 2)]
    [InlineData("rediss://host", "host:6379", null, null, true, null)]
    [InlineData("rediss://:pw@host:6380/0", "host:6380", null, "pw", true, 0)]
    [InlineData("redis://bob:pw@10.0.0.1", "10.0.0.1:6379", "bob", "pw", false, null)]
    [InlineData("redis://b%6Fb:p%40%3A%2F%2C%25%20%C3%BC@host", "host:6379", "bob", "p@:/,% ü", false, null)]
    [InlineData("redis://:p:w@host", "host:6379", null, "p:w", false, null)]
    [InlineData("redis://:pw@[2001:db8::1]:7000", "[2001:db8::1]:7000", null, "pw", false, null)]
    [InlineData("redis://[::1]", "[::1]:6379", null, null, false, null)]
    [InlineData("redis://a:1,b:2,c/1", "a:1 b:2 c:6379", null, null, false, 1)]
    [InlineData("redis://host?db=4", "host:6379", null, null, false, 4)]
    [InlineData("unix:///run/redis/redis.sock", "/run/redis/redis.sock", null, null, false, null)]
    [InlineData("unix://bob:pw@/run/r%20s.sock?db=2", "/run/r s.sock", "bob", "pw", false, 2)]
    public void Reads_connection_strings_and_urls(string text, string endPoints, string? user, string? password, bool tls, int? database)
    {
        Assert.True(RedisAddress.TryParse(text, out var address, out var fault), fault);

        var options = address.Options;
        Assert.Equal(endPoints, string.Join(' ', options.EndPoints.Select(RedisAddress.Show)));
        Assert.Equal((user, password, tls, database), (options.User, options.Password, options.Ssl, options.DefaultDatabase));
    }

    [Fact]
    public void The_hosts_of_a_url_with_a_service_name_are_sentinels()
    {
        Assert.True(RedisAddress.TryParse("redis://:pw@s1,s2:26380/1?serviceName=my%2Dmaster&sentinelUser=u&sentinelPassword=p%26w&name=edge", out var address,
            out _));

        var options = address.Options;
        Assert.Equal("s1:26379 s2:26380", string.Join(' ', options.EndPoints.Select(RedisAddress.Show)));
        Assert.Equal(("my-master", "u", "p&w", "edge"), (options.ServiceName, options.SentinelUser, options.SentinelPassword, options.ClientName));
    }

    [Theory]
    [InlineData("")]
    [InlineData("password=hunter2")]
    [InlineData("localhost,hunter2=x=y,what=hunter2")]
    [InlineData("bob:hunter2@host:6379")]
    [InlineData("http://bob:hunter2@host")]
    [InlineData("redis+srv://:hunter2@host")]
    [InlineData("redis://")]
    [InlineData("redis://:hunter2@")]
    [InlineData("redis://hunter2@host")]
    [InlineData("redis://bob:@host")]
    [InlineData("redis://:hunter2@host:0")]
    [InlineData("redis://:hunter2@host:65536")]
    [InlineData("redis://:hunter2@host:port")]
    [InlineData("redis://:hunter2@host:+1")]
    [InlineData("redis://:hunter2@host/x")]
    [InlineData("redis://:hunter2@host/-1")]
    [InlineData("redis://:hunter2@host/1?db=1")]
    [InlineData("redis://:hunter2@host/0/1")]
    [InlineData("redis://:hunter2%@host")]
    [InlineData("redis://:hunter2%zz@host")]
    [InlineData("redis://:hunter2%FF@host")]
    [InlineData("redis://:hunter2@x@host")]
    [InlineData("redis://:hun/ter2@host")]
    [InlineData("redis://:hun?ter2@host")]
    [InlineData("redis://:hun#ter2@host")]
    [InlineData("redis://:hunter2 @host")]
    [InlineData("redis://:hunter2@ho st")]
    [InlineData("redis://:hunter2@[::1")]
    [InlineData("redis://:hunter2@[hunter2]")]
    [InlineData("redis://:hunter2@::1")]
    [InlineData("redis://:hunter2@host?hunter2=1")]
    [InlineData("redis://:hunter2@host?db")]
    [InlineData("redis://:hunter2@host?db=1&db=1")]
    [InlineData("redis://:hunter2@host?cacert=/hunter2/none.pem")]
    [InlineData("redis://:hunter2@host?sslHost=x")]
    [InlineData("rediss://:hunter2@host?cacert=/hunter2/none.pem")]
    [InlineData("host:6379,password=hunter2,cacert=/hunter2/none.pem")]
    [InlineData("unix://:hunter2@host/run/redis.sock")]
    [InlineData("unix://:hunter2@")]
    [InlineData("unix:///")]
    public void What_cannot_be_read_is_refused_without_a_word_of_it(string text)
    {
        Assert.False(RedisAddress.TryParse(text, out var address, out var fault));

        Assert.Null(address);
        Assert.NotEmpty(fault);
        Assert.DoesNotContain("hunter2", fault, StringComparison.Ordinal);
        Assert.DoesNotContain("ter2", fault, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_is_no_certificate_is_refused()
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, "hunter2");

            Assert.False(RedisAddress.TryParse($"rediss://host?cacert={path}", out _, out var authority));
            Assert.False(RedisAddress.TryParse($"host,cert={path},key={path}", out _, out var client));
            Assert.False(RedisAddress.TryParse($"rediss://host?key={path}", out _, out var alone));
            Assert.Contains("PEM", authority, StringComparison.Ordinal);
            Assert.Contains("PEM", client, StringComparison.Ordinal);
            Assert.Contains("without its certificate", alone, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void An_endpoint_shows_as_people_write_it()
    {
        Assert.Equal("redis:6379", RedisAddress.Show(new DnsEndPoint("redis", 6379)));
        Assert.Equal("[::1]:6379", RedisAddress.Show(new IPEndPoint(IPAddress.IPv6Loopback, 6379)));
        Assert.Equal("", RedisAddress.Show(null));
    }
}
