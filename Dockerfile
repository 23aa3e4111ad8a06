# docker build -t webhookedge .
# docker run -p 8080:8080 -v "$PWD/config:/etc/webhookedge:ro" webhookedge

FROM mcr.microsoft.com/dotnet/sdk:10.0 AS build
# Set by BuildKit: amd64, arm64. Published for one platform, the gateway is compiled ahead of time.
ARG TARGETARCH
WORKDIR /src
# What decides the packages comes first, so that a change of code does not restore them again.
COPY global.json Directory.Build.props Directory.Packages.props BannedSymbols.txt .editorconfig ./
COPY gateway/Gateway.csproj gateway/
RUN dotnet restore gateway/Gateway.csproj -a $TARGETARCH
COPY gateway/ gateway/
COPY config/demo.json config/
RUN dotnet publish gateway/Gateway.csproj --configuration Release --no-restore -a $TARGETARCH --self-contained false --output /app -p:UseAppHost=false \
    && mkdir /state

# No shell, no package manager, no root: https://github.com/dotnet/dotnet-docker/blob/main/documentation/ubuntu-chiseled.md
FROM mcr.microsoft.com/dotnet/aspnet:10.0-noble-chiseled
WORKDIR /app
COPY --from=build /app ./
# The only place that is written to (last-known-good address lists); everything else works read-only.
COPY --from=build --chown=$APP_UID:$APP_UID /state /var/lib/webhookedge
VOLUME /var/lib/webhookedge
USER $APP_UID
# 8080 takes the webhooks. 9901 is the admin listener, on loopback unless told otherwise: the health check asks it from inside. To publish it (live page,
# probes of an orchestrator) set Admin__Url=http://*:9901 and Admin__Token; without a token it starts on loopback only.
# Log lines are JSON: the base image sets DOTNET_RUNNING_IN_CONTAINER. For reading: -e Logging__Console__FormatterName=simple
ENV ASPNETCORE_HTTP_PORTS=8080
EXPOSE 8080 9901
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["dotnet", "webhookedge.dll", "healthcheck"]
ENTRYPOINT ["dotnet", "webhookedge.dll"]
CMD ["serve", "--config", "/etc/webhookedge/routes.json"]
